#!/usr/bin/env python3
"""Writes docs/proof.md: what was measured, before and after. It is made of build/proof.json and,
where they are, the records of other Ray versions in build/proof-ray-VERSION.json."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIDES = ("without", "with")
# As the README lists them; what is not here comes after, by name.
ORDER = ["wait-gcs", "duplicate wait-gcs-ready", "readiness-probe", "prestop-drain",
         "tmp-ray-memory", "gpu-tolerations", "dns-config", "spot-placement", "annotations",
         "disruption-budget", "rules", "max-workers", "repair-taints", "repair-lifecycle"]
UNIT = re.compile(r"(.*?)(?:, (s|ms|MB|MiB|%|times)| (ms|MB|MiB))$")
LONGEST = 360


def rank(fix):
    """The order of the page; "prestop-drain: actors" stands behind "prestop-drain"."""
    name = fix.partition(":")[0]
    return (ORDER.index(name) if name in ORDER else len(ORDER), fix)


def table(head, rows):
    if not rows:
        return []
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def words(name):
    """same_pods -> same pods; "deleted after, s" -> ("deleted after", "s")."""
    name = name.replace("_", " ")
    found = UNIT.fullmatch(name)
    return (found[1], found[2] or found[3]) if found else (name, "")


def cell(value, unit=""):
    """A figure, in its unit, as it may stand in a table."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return "<br>".join(cell(each, unit) for each in value) or "none"
    if isinstance(value, dict):
        return "<br>".join(f"{words(name)[0]}: {cell(each, words(name)[1])}"
                           for name, each in value.items()) or "none"
    if isinstance(value, (int, float)):
        number = f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"
        return f"{number} {unit}".strip() if unit != "%" else f"{number} %"
    text = " ".join(str(value).replace(f"{ROOT}/", "").split())
    text = text.replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"


def factor(before, after):
    """How many times less it is with rayfix."""
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool)
                  for each in (before, after))
    return f"{before / after:.2g} times less" if numbers and before > after > 0 else ""


def flat(value, name=""):
    """A side of a fix, nested or not, as {name: figure}."""
    if not isinstance(value, dict):
        return {name: value}
    found = {}
    for key, each in value.items():
        found.update(flat(each, f"{name}: {key}" if name else key))
    return found


def both_sides(figures):
    """[(name of the figure, without, with)]"""
    without, with_ = (flat(figures[side]) if side in figures else {} for side in SIDES)
    return [(name, without.get(name), with_.get(name)) for name in [
        *without, *(name for name in with_ if name not in without)]]


def fixes_table(figures):
    rows = []
    for fix in sorted(figures, key=rank):
        if not any(side in figures[fix] for side in SIDES):
            continue
        shown = f"`{fix}`" if fix in ORDER and " " not in fix else fix
        for name, before, after in both_sides(figures[fix]):
            what, unit = words(name)
            rows.append([shown, what, cell(before, unit), cell(after, unit),
                         factor(before, after)])
            shown = ""
    return table(["fix", "what", "without rayfix", "with rayfix", ""], rows)


def versions_table(records):
    """What was measured with more than one Ray, side by side."""
    rows = []
    for fix in sorted(set().union(*records.values()), key=rank):
        seen = {ray: {name: sides for name, *sides in both_sides(figures[fix])}
                for ray, figures in records.items() if fix in figures}
        seen = {ray: figures for ray, figures in seen.items() if figures}
        if len(seen) < 2:
            continue
        for name in dict.fromkeys(name for figures in seen.values() for name in figures):
            what, unit = words(name)
            rows.append([fix, what] + [
                cell(side, unit) for ray in records
                for side in seen.get(ray, {}).get(name, (None, None))])
    head = [f"Ray {ray}, {side}" for ray in records for side in SIDES]
    return table(["fix", "what", *head], rows)


def is_table(value):
    """Dicts that all hold figures: {row: {column: figure}}."""
    return isinstance(value, dict) and value and all(
        isinstance(row, dict) and row and not any(isinstance(each, dict) for each in row.values())
        for row in value.values())


def more(name, value):
    """One subject beyond before and after: a table of rows and columns, or of names and figures."""
    if name and is_table(value):
        columns = list(dict.fromkeys(column for row in value.values() for column in row))
        return table([words(name)[0], *columns], [
            [row, *(cell(figures.get(column)) for column in columns)]
            for row, figures in value.items()])
    plain = {key: each for key, each in value.items() if not isinstance(each, dict)}
    lines = table([words(name)[0], ""],
                  [[words(key)[0], cell(each, words(key)[1])] for key, each in plain.items()])
    for key, each in value.items():
        lines += more(key, each) if key not in plain else []
    return lines


def more_figures(figures):
    lines = []
    for subject in sorted(figures, key=rank):
        rest = {name: value for name, value in figures[subject].items() if name not in SIDES}
        if rest:
            lines += [f"### {subject}", "", *more("", rest)]
    return lines


def attempts(story):
    """At which attempt a story passed."""
    return story.get("attempts", 2 if "second" in story["result"] else 1)


def stories_part(proofs):
    """What did not pass at once: nothing, in the best case."""
    lines = []
    for title, wanted in (
            ("Passed at a second attempt", lambda story: story["result"].startswith("passed")
             and attempts(story) > 1),
            ("Not passed", lambda story: not story["result"].startswith("passed"))):
        found = [f"- {name} (Ray {ray}): {story['result']}" for ray, proof in proofs.items()
                 for name, story in sorted(proof["stories"].items()) if wanted(story)]
        if found:
            lines += [f"## {title}", "", *found, ""]
    return lines


def summary(ray, proof):
    stories = proof["stories"].values()
    passed = sum(story["result"].startswith("passed") for story in stories)
    seconds = sum(story.get("seconds", 0) for story in stories)
    return [f"Ray {ray}", f"{passed} of {len(stories)}", f"{seconds / 60:.0f} min"]


def whole_run(main):
    run = main.get("run")
    return [f"In {run['clusters']} clusters at the same time all of it took {run['minutes']} min.",
            ""] if run else []


def page(proofs):
    """proofs: {Ray version: record}, the main one first."""
    main = next(iter(proofs.values()))
    figures = {ray: proof["figures"] for ray, proof in proofs.items()}
    figures.update(main.get("figures_by_ray", {}))
    machine = main["machine"]
    versions = {**main["versions"], "ray": " and ".join(figures)}
    compared = versions_table(figures) if len(figures) > 1 else []
    lines = [
        "# Proof on a real Kubernetes", "",
        "Each fix and rule on the thing that it is for: first the fault without rayfix, then its"
        " absence. Written by `make cluster-test` and `tests/cluster/proof_page.py`; the stories"
        " that measured it are in `tests/cluster/stories`. Times are of a machine of"
        f" {machine['cpus']} CPUs that runs all of it, Ray too. While the cost of creations and how"
        " soon idle workers and deleted clusters go were measured, nothing else ran on it.", "",
        *table(["part", "version"], [[name, number] for name, number in sorted(
            {**versions, "Linux": machine["kernel"]}.items())]),
        *table(["run", "stories passed", "time"], [summary(*each) for each in proofs.items()]),
        *whole_run(main),
        "## Before and after", "", *fixes_table(main["figures"]),
        *(["## Ray versions side by side", "", *compared] if compared else []),
        "## More figures", "", *more_figures(main["figures"]), *stories_part(proofs)]
    return "\n".join(lines).rstrip() + "\n"


def read_proofs(source):
    first = json.loads(source.read_text())
    proofs = {first["versions"].get("ray", "-"): first}
    for path in sorted(source.parent.glob("proof-ray-*.json")):
        proofs.setdefault(path.stem.removeprefix("proof-ray-"), json.loads(path.read_text()))
    return proofs


def main():
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "proof.json"
    try:
        proofs = read_proofs(source)
    except (OSError, ValueError) as error:
        print(f"{source}: {error}; run  make cluster-test  first", file=sys.stderr)
        return 1
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "proof.md"
    target.write_text(page(proofs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
