#!/usr/bin/env python3
"""Every rule has its cases, its row in the folder's README and its row in README.md; and none of
these speaks of a rule that does not exist."""

import re
from pathlib import Path

import lint

ROW = re.compile(r"^\|\s*`([a-z0-9-]+)`", re.MULTILINE)


def rows(root, path):
    """Names of the rules in the first column of a README's tables."""
    file = Path(root) / path
    return set(ROW.findall(lint.read(root, path))) if file.is_file() else set()


def cases(root, kind):
    return {path.stem.replace("_", "-") for path in (Path(root) / "tests" / kind).glob("*.json")}


def check(root):
    found = []
    top = rows(root, "README.md")
    known = set()
    for kind in ("mutators", "validators"):
        names = {path.stem.replace("_", "-") for path in (Path(root) / kind).glob("*.c")}
        known |= names
        inside = rows(root, f"{kind}/README.md")
        have = cases(root, kind)
        for name in sorted(names):
            file = name.replace("-", "_")
            if name not in have:
                found.append(f"{kind}/{file}.c: no cases in tests/{kind}/{file}.json")
            if name not in inside:
                found.append(f"{kind}/{file}.c: no row `{name}` in {kind}/README.md")
            if name not in top:
                found.append(f"{kind}/{file}.c: no row `{name}` in README.md")
        if names:
            found += [f"tests/{kind}/: cases for {name}, which is no rule"
                      for name in sorted(have - names)]
        found += [f"{kind}/README.md: a row for {name}, which is no rule"
                  for name in sorted(inside - names)]
    found += [f"README.md: a row for {name}, which is no rule" for name in sorted(top - known)]
    return found


ROWS = "| fix | what |\n|---|---|\n| `a-b` | x |\n"
GOOD = {"mutators/a_b.c": "", "tests/mutators/a_b.json": "", "mutators/README.md": ROWS,
        "README.md": ROWS}


def without(name):
    return {path: text for path, text in GOOD.items() if path != name}


BAD = [
    (GOOD, []),
    (without("tests/mutators/a_b.json"), ["no cases in tests/mutators/a_b.json"]),
    (without("mutators/README.md"), ["no row `a-b` in mutators/README.md"]),
    (without("README.md"), ["no row `a-b` in README.md"]),
    ({**GOOD, "README.md": ROWS + "| `gone` | x |\n"}, ["README.md: a row for gone"]),
    ({**GOOD, "tests/mutators/gone.json": ""}, ["cases for gone"]),
]

if __name__ == "__main__":
    lint.main(check, BAD)
