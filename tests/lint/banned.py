#!/usr/bin/env python3
"""Functions that have no place here, and where each is banned. A line that ends in the comment
"lint: <function> is fine, <why>" is let through."""

import re

import lint

EVERYWHERE = {
    "atoi": "cannot report an error; use strtol with checks or text_to_unsigned",
    "atol": "cannot report an error; use strtol with checks or text_to_unsigned",
    "atoll": "cannot report an error; use strtol with checks or text_to_unsigned",
    "atof": "cannot report an error; use strtod with checks",
    "strcpy": "has no bound; use snprintf or a buffer",
    "stpcpy": "has no bound; use snprintf or a buffer",
    "strncpy": "may leave no NUL; use snprintf or a buffer",
    "strcat": "has no bound; use snprintf or a buffer",
    "strncat": "its bound is not the size of the target; use snprintf or a buffer",
    "sprintf": "has no bound; use snprintf or a buffer",
    "vsprintf": "has no bound; use vsnprintf or a buffer",
    "gets": "has no bound",
    "strtok": "keeps global state",
    "alloca": "a request must not choose the size of the stack",
    "setjmp": "skips the cleanup attributes",
    "longjmp": "skips the cleanup attributes",
    "tmpnam": "races; use mkstemp",
    "mktemp": "races; use mkstemp",
}

# Strings of objects carry their length and may contain NUL: struct text and yyjson_equals_strn.
ON_OBJECTS = {name: "strings of objects may contain NUL; use struct text"
              for name in ("strcmp", "strncmp", "strcasecmp", "strncasecmp", "strstr")}
NEVER_ABORT = {name: "a request never ends the process; return an error"
               for name in ("abort", "exit", "_exit", "quick_exit", "assert")}

BY_FOLDER = {
    "admission": {**ON_OBJECTS, **NEVER_ABORT},
    "mutators": {**ON_OBJECTS, **NEVER_ABORT},
    "validators": {**ON_OBJECTS, **NEVER_ABORT},
    "certs": NEVER_ABORT,
    "cluster": NEVER_ABORT,
    # A second signal ends the server at once, by _exit.
    "server": {name: why for name, why in NEVER_ABORT.items() if name not in ("assert", "_exit")},
}

CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")
GOTO = re.compile(r"(?<!\w)goto\s+\w+\s*;")


def check(root):
    found = []
    for path in lint.c_files(root):
        text = lint.read(root, path)
        banned = {**EVERYWHERE, **BY_FOLDER.get(path.parts[0], {})}
        lines = text.splitlines()
        for number, line in enumerate(lint.strip_c(text).splitlines(), 1):
            for name in CALL.findall(line):
                allowed = f"lint: {name} is fine, " in lines[number - 1]
                if name in banned and not allowed:
                    found.append(f"{path}:{number}: {name}: {banned[name]}")
            if GOTO.search(line):
                found.append(f"{path}:{number}: goto: use a cleanup attribute or a function")
    return found


BAD = [
    ({"admission/a.c": 'int f(void) { return text_equals(a, b); } // atoi(x)\n'
                       'const char *s = "strcpy(a, b)";\n/* goto x;\n gets(s) */\n',
      "cli/b.c": "int g(void) { return strcmp(a, b); }\n",
      "admission/c.c": "x = strcmp(a, b);  // lint: strcmp is fine, both are names of rules\n",
      "admission/d.c": "x = vtable->exit(a);\n"}, []),
    ({"cli/a.c": "int f(void) {\n  return atoi(s);\n}\n"}, ["cli/a.c:2: atoi"]),
    ({"tests/unit/a_test.c": "void f(void) {\n  strcpy (a, b);\n}\n"}, ["a_test.c:2: strcpy"]),
    ({"server/a.c": "/* one\n two */ sprintf(a, b);\n"}, ["a.c:2: sprintf"]),
    ({"mutators/a.c": "if (strcmp(a, b) == 0) {\n"}, ["a.c:1: strcmp"]),
    ({"admission/a.h": "abort();\n"}, ["a.h:1: abort"]),
    ({"server/a.c": "  goto out;\n"}, ["a.c:1: goto"]),
]

if __name__ == "__main__":
    lint.main(check, BAD)
