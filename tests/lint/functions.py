#!/usr/bin/env python3
"""A function is one thought: over 60 lines is told, over 100 fails."""

import re

import lint

WARN = 60
FAIL = 100

# libcheck's macros around a test's real name.
TEST = re.compile(r"\bSTART_TEST(?=\()|\bEND_TEST\b")
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
HEAD = re.compile(r"(\w*)\s*\([^{}]*\)\s*(?:__attribute__.*)?$", re.DOTALL)


def functions(source):
    """(name, first line, number of lines) of each function definition."""
    depth = 0
    head = ""        # what stands at the outermost level since the last ; or }
    head_line = 1
    line = 1
    name = None
    start = 0
    code = DIRECTIVE.sub(lambda match: "\n" * match.group(0).count("\n"), lint.strip_c(source))
    code = TEST.sub("", code)
    for character in code:
        if character == "\n":
            line += 1
        if depth == 0 and character not in "{};":
            if not head.strip():
                head_line = line
            head += character
            continue
        if character == "{":
            if depth == 0:
                match = HEAD.search(head.strip())
                name = (match.group(1) or head.strip()) if match and "=" not in head else None
                start = head_line
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                if name:
                    yield name, start, line - start + 1
                head = ""
        elif depth == 0:
            head = ""


def check(root):
    found = []
    for path in lint.c_files(root):
        for name, first, length in functions(lint.read(root, path)):
            if length > FAIL:
                found.append(f"{path}:{first}: {name} has {length} lines, more than {FAIL}")
            elif length > WARN:
                print(f"note: {path}:{first}: {name} has {length} lines, more than {WARN}")
    return found


def example(lines, head="static int f(struct a *a,\n             int b) {"):
    body = "".join(f"  x({i});\n" for i in range(lines - 2 - head.count("\n")))
    return f'#include "a.h"\nstruct s {{\n  int a;\n}};\n// text\n{head}\n{body}}}\n'


BAD = [
    ({"a.c": example(100)}, []),
    ({"a.c": "static const struct s table[] = {\n" + "  {1},\n" * 200 + "};\n"}, []),
    ({"a.c": example(101)}, ["a.c:6: f has 101 lines"]),
    ({"a.c": example(90) + example(105, "END_TEST\n\nSTART_TEST(long_one) {")},
     ["a.c:103: (long_one) has 103 lines"]),
    ({"a.c": example(10) + example(150, "void g(void)\n{")}, ["g has 150 lines"]),
]

if __name__ == "__main__":
    lint.main(check, BAD)
