#!/usr/bin/env python3
"""Writes docs/proof.md from build/proof.json: what was measured, before and after."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIDES = ("without", "with")


def cell(value):
    """A figure, or several, as one cell of a table."""
    if isinstance(value, dict):
        return "<br>".join(f"{name}: {cell(each)}" for name, each in value.items())
    return " ".join(str(value).split()).replace("|", "\\|") if value != "" else "-"


def page(proof):
    versions = ", ".join(f"{name} {number}" for name, number in sorted(proof["versions"].items()))
    passed = sum(story["result"] == "passed" for story in proof["stories"].values())
    lines = [
        "# Proof on a real Kubernetes", "",
        "Written by `make cluster-test` and `tests/cluster/proof_page.py`; the stories that"
        " measured it are in `tests/cluster/stories`.", "",
        f"Versions: {versions}. Machine: {proof['machine']['cpus']} CPUs, Linux"
        f" {proof['machine']['kernel']}. {passed} of {len(proof['stories'])} stories passed.", "",
        "| fix | without rayfix | with rayfix |", "|---|---|---|"]
    other = []
    for fix, figures in sorted(proof["figures"].items()):
        if any(side in figures for side in SIDES):
            lines.append(f"| {fix} | {cell(figures.get('without', ''))} |"
                         f" {cell(figures.get('with', ''))} |")
        rest = {name: value for name, value in figures.items() if name not in SIDES}
        other += [f"| {fix} | {name} | {cell(value)} |" for name, value in rest.items()]
    lines += ["", "## More figures", "", "| subject | what | figure |", "|---|---|---|", *other]
    failed = [f"- {name}: {story['result']}" for name, story in sorted(proof["stories"].items())
              if story["result"] != "passed"]
    if failed:
        lines += ["", "## Not passed", "", *failed]
    return "\n".join(lines) + "\n"


def main():
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "proof.json"
    try:
        proof = json.loads(source.read_text())
    except (OSError, ValueError) as error:
        print(f"{source}: {error}; run  make cluster-test  first", file=sys.stderr)
        return 1
    (ROOT / "docs" / "proof.md").write_text(page(proof))
    return 0


if __name__ == "__main__":
    sys.exit(main())
