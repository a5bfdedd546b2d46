#!/usr/bin/env python3
"""The reference in docs/configuration.md is what `rayfix config defaults` prints.

`tests/lint/defaults.py --update` writes it anew."""

import os
import subprocess
import sys
from pathlib import Path

import lint

PAGE = "docs/configuration.md"
BEGIN = "<!-- defaults: begin -->\n"
END = "<!-- defaults: end -->\n"


def printed(root):
    """What the program prints; the small trees bring theirs as a file."""
    own = Path(root) / "printed"
    if own.is_file():
        return own.read_text()
    program = os.environ.get("RAYFIX", "build/dev/rayfix")
    return subprocess.run([program, "config", "defaults"], capture_output=True, text=True,
                          check=True, stdin=subprocess.DEVNULL).stdout


def expected(root):
    before, _, rest = lint.read(root, PAGE).partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n```yaml\n{printed(root)}```\n\n{END}{after}"


def check(root):
    if lint.read(root, PAGE) == expected(root):
        return []
    return [f"{PAGE}: differs from `rayfix config defaults`; run: tests/lint/defaults.py --update"]


GOOD = f"# A\n{BEGIN}\n```yaml\na: 1\n```\n\n{END}rest\n"
BAD = [
    ({PAGE: GOOD, "printed": "a: 1\n"}, []),
    ({PAGE: GOOD, "printed": "a: 2\n"}, ["differs"]),
    ({PAGE: "# A\n", "printed": "a: 1\n"}, ["differs"]),
]

if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        (Path.cwd() / PAGE).write_text(expected(Path.cwd()), encoding="utf-8")
    else:
        lint.main(check, BAD)
