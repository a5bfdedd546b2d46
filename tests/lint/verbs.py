#!/usr/bin/env python3
"""Every verb answers -h on stdout with exit code 0, its flags and an example that runs that verb;
`rayfix -h` lists them all."""

import os
import re
import subprocess
from pathlib import Path

import lint

VERB = re.compile(r"^const struct verb verb_(\w+)\s*=\s*\{", re.MULTILINE)


def run(program, *args):
    return subprocess.run([program, *args], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL, check=False)


def check_help(program, verb):
    done = run(program, *verb.split(), "-h")
    if done.returncode != 0:
        return f"rayfix {verb} -h: exit code {done.returncode}, not 0"
    if done.stderr:
        return f"rayfix {verb} -h: writes to stderr: {done.stderr.splitlines()[0]}"
    example = re.split(r"^\s*examples?:?", done.stdout, flags=re.IGNORECASE | re.MULTILINE)
    if len(example) < 2 or not re.search(rf"\brayfix {verb}\b", example[-1]):
        return f"rayfix {verb} -h: no example that runs `rayfix {verb}`"
    wide = [line for line in done.stdout.splitlines() if len(line) > 100]
    return f"rayfix {verb} -h: a line over 100 columns: {wide[0]}" if wide else None


def check(root):
    program = os.environ.get("RAYFIX", "build/dev/rayfix")
    own = Path(root) / "rayfix"  # the small trees bring their own
    if own.is_file():
        own.chmod(0o755)
        program = str(own)
    names = []
    for path in sorted((Path(root) / "cli").glob("*.c")):
        names += [name.replace("_", " ") for name in VERB.findall(path.read_text())]
    if not names:
        return ["cli/: no verbs found"]
    found = [finding for finding in (check_help(program, name) for name in names) if finding]
    listed = run(program, "-h")
    if listed.returncode != 0:
        found.append(f"rayfix -h: exit code {listed.returncode}, not 0")
    found += [f"rayfix -h: does not list {name}" for name in names
              if " " not in name and not re.search(rf"^\s+{name}\b", listed.stdout, re.MULTILINE)]
    return found


def tree(script):
    return {"cli/a.c": "const struct verb verb_a = {\n", "rayfix": "#!/bin/sh\n" + script}


LIST = '[ "$1" = -h ] && { echo "  a  does"; exit 0; }\n'
BAD = [
    (tree(LIST + "echo Example:; echo '  rayfix a x'\n"), []),
    ({**tree(LIST + "echo Example:; echo '  rayfix a x'; echo '  rayfix a b'\n"),
      "cli/b.c": "const struct verb verb_a_b = {\n"}, []),
    (tree(LIST + "echo Usage: rayfix a\n"), ["no example"]),
    (tree(LIST + "echo Example:; echo rayfix a; exit 2\n"), ["exit code 2"]),
    (tree(LIST + "echo Example:; echo rayfix a; echo x >&2\n"), ["writes to stderr"]),
    (tree("echo Example:; echo rayfix a\n"), ["does not list a"]),
    ({"cli/b.c": "int x;\n"}, ["no verbs found"]),
]

if __name__ == "__main__":
    lint.main(check, BAD)
