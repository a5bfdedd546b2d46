#!/usr/bin/env python3
"""Every header says "#pragma once" first and compiles alone, so that the order of includes never
matters."""

import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lint


def include_flags():
    """-I and -D of the real build, so that generated headers and libraries are found."""
    commands = Path(os.environ.get("BUILD_DIR", "build/dev")) / "compile_commands.json"
    flags = {}
    if commands.is_file():
        for entry in json.loads(commands.read_text()):
            words = shlex.split(entry["command"])
            for word, following in zip(words, words[1:] + [""]):
                if word.startswith(("-I", "-D")):
                    flags[word] = None
                elif word == "-isystem":
                    flags[f"-isystem{following}"] = None
    return list(flags)


def compile_alone(root, path, flags):
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
               "-fsyntax-only", f"-I{root}", *flags, "-x", "c", "-"]
    done = subprocess.run(command, input=f'#include "{path}"\n', text=True, capture_output=True,
                          check=False, cwd=root)
    if done.returncode == 0:
        return None
    first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
    return f"{path}: does not compile alone: {first.strip()}"


def check(root):
    headers = [path for path in lint.c_files(root) if path.suffix == ".h"]
    found = []
    for path in headers:
        code = [line for line in lint.strip_c(lint.read(root, path)).splitlines() if line.strip()]
        if not code or code[0].strip() != "#pragma once":
            found.append(f'{path}:1: starts with "#pragma once"')
    flags = include_flags()
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda path: compile_alone(root, path, flags), headers)
        found += [result for result in results if result]
    return found


BAD = [
    ({"good.h": "// Why.\n#pragma once\n#include <stddef.h>\nsize_t f(void);\n"}, []),
    ({"a.h": "#ifndef A_H\n#define A_H\n#endif\n"}, ["a.h:1: starts with"]),
    ({"a.h": "#pragma once\nsize_t f(void);\n"}, ["a.h: does not compile alone"]),
]

if __name__ == "__main__":
    lint.main(check, BAD)
