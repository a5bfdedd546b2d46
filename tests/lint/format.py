#!/usr/bin/env python3
"""C as clang-format 14 with .clang-format writes it, and no line over 100 columns.

Other majors of clang-format differ in details, so they do not judge: a note and a pass in CI, a
skip elsewhere."""

import os
import re
import shutil
import subprocess
import sys

import lint

MAJOR = 14
WIDTH = 100


def find_tool():
    """A clang-format of the right major, or None after having said why."""
    for name in (f"clang-format-{MAJOR}", "clang-format"):
        tool = shutil.which(name)
        if tool:
            break
    else:
        lint.skip(f"clang-format is missing; install clang-format-{MAJOR} or clang-format")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"version (\d+)", version)
    if match and int(match.group(1)) == MAJOR:
        return tool
    print(f"clang-format {MAJOR} judges the formatting; here is: {version.strip()}")
    return None


TOOL = find_tool()
STYLE = lint.read(".", ".clang-format") if os.path.exists(".clang-format") else ""


def wide_lines(root, path):
    return [f"{path}:{number}: {len(line)} columns, more than {WIDTH}"
            for number, line in enumerate(lint.read(root, path).splitlines(), 1)
            if len(line) > WIDTH]


def check(root):
    files = lint.c_files(root)
    found = [finding for path in files for finding in wide_lines(root, path)]
    if TOOL and files:
        done = subprocess.run([TOOL, "--dry-run", "--Werror", *map(str, files)], cwd=root,
                              capture_output=True, text=True, check=False)
        places = re.findall(r"^(\S+?):(\d+):\d+: error", done.stderr, re.MULTILINE)
        first = {}
        for name, line in places:
            first.setdefault(name, line)
        found += [f"{name}:{line}: not formatted; run: make format" for name, line in first.items()]
        if done.returncode != 0 and not places:
            found.append(done.stderr.strip())
    return found


BAD = [
    ({".clang-format": STYLE, "a.c": "int f(void) {\n  return 1;\n}\n"}, []),
    ({".clang-format": STYLE, "a.c": f'// clang-format off\nconst char *s = "{"x" * 90}";\n'},
     ["a.c:2: 109 columns"]),
]
if TOOL:
    BAD.append(({".clang-format": STYLE, "a.c": "int f(void)\n{\n    return 1;\n}\n"},
                ["a.c:1: not formatted"]))

if __name__ == "__main__":
    if TOOL is None and not os.environ.get("CI"):
        sys.exit(lint.SKIPPED)
    lint.main(check, BAD)
