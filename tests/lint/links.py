#!/usr/bin/env python3
"""Links in Markdown files that point into the tree lead to a file, and to a heading where one is
named."""

import re
from pathlib import Path

import lint

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(text):
    """Names that a Markdown viewer gives to the headings."""
    headings = re.findall(r"^#+\s+(.*?)\s*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check(root):
    found = []
    for path in lint.tracked(root):
        if path.suffix != ".md":
            continue
        text = FENCE.sub(lambda m: "\n" * m.group(0).count("\n"), lint.read(root, path))
        for match in LINK.finditer(text):
            target, _, anchor = match.group(1).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            line = text.count("\n", 0, match.start()) + 1
            file = (Path(root) / path.parent / target) if target else Path(root) / path
            if not file.exists():
                found.append(f"{path}:{line}: no such file: {target}")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                found.append(f"{path}:{line}: no heading #{anchor} in {target or path}")
    return found


BAD = [
    ({"README.md": "# A b\n[x](docs/a.md#one-two) [y](#a-b) [z](https://example.org/x)\n"
                   "```\n[n](no.md)\n```\n", "docs/a.md": "## One, two\n[up](../README.md)\n"}, []),
    ({"README.md": "\n[x](docs/a.md)\n"}, ["README.md:2: no such file: docs/a.md"]),
    ({"README.md": "# A\n[x](#b)\n"}, ["no heading #b"]),
]

if __name__ == "__main__":
    lint.main(check, BAD)
