"""What the portions have recorded, as one record for each version of Ray."""

import json
import os

from bed.counting import count_line

FAILED = ("failed", "error")


def summary(stories):
    """The line that ctest ends with, and what there is to know beside it."""
    ends = [story["result"] for story in stories.values()]
    failed = sum(end in FAILED for end in ends)
    skipped = sum(end.startswith("skipped") for end in ends)
    for name, story in stories.items():
        if story["result"] != "passed":
            print(f"{name}: {story['result']}")
    print(count_line(len(ends), failed, skipped), flush=True)
    return 1 if failed or len(ends) == skipped else 0


def add_figures(to, more):
    """As proof.record() does: a later figure replaces, a dict adds."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(to.get(name), dict):
            add_figures(to[name], value)
        else:
            to[name] = value


def failed(record):
    """The stories that have not passed, in names that unittest's loader takes."""
    names = [name for name, story in record["stories"].items() if story["result"] in FAILED]
    return [loadable(name) for name in names]


def loadable(name):
    """A fixture of a class or module has failed: then that is what runs again."""
    _, fixture, place = name.partition(" (")
    return place.rstrip(")") if fixture else name


def merged(records):
    """One record of several, in their order."""
    whole = {"versions": {}, "machine": {}, "figures": {}, "stories": {}}
    for record in records:
        whole["versions"].update(record["versions"])
        whole["machine"].update(record["machine"])
        add_figures(whole["figures"], record["figures"])
        whole["stories"].update(record["stories"])
    return whole


def add_second_attempt(whole, again):
    """The second attempt counts, and the record says that it was one."""
    # What failed may have been a fixture or all of a module: its stories stand for it now.
    for name in [name for name, story in whole["stories"].items() if story["result"] in FAILED]:
        if any(each.startswith(loadable(name)) for each in again["stories"]):
            del whole["stories"][name]
    for name, story in again["stories"].items():
        if story["result"] == "passed":
            story["result"] = "passed at the second attempt"
        whole["stories"][name] = story
    add_figures(whole["figures"], again["figures"])


def write(path, content):
    """A reader sees all of it or the one before; and two runs may end at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    new.rename(path)


def read(path):
    """A portion's record, or None if it did not get so far."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
