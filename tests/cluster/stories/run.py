#!/usr/bin/env python3
"""Runs the stories (all, or those that are named as MODULE.CLASS.TEST) and writes
build/proof.json; build/proof-part.json if some are named. --of-ray runs those whose outcome depends
on the version of Ray, and writes build/proof-ray-VERSION.json."""

import json
import os
import platform
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import proof
from bed import tools
from bed.counting import count_line
from kube import kubectl
from server import EXISTING, server

BUILD = HERE.parents[2] / "build"
RAY = os.environ.get("RAY_VERSION", "2.46.0")
# As in the table: the fixes first, then the rules, then what happens without the server.
ORDER = ["wait", "wait_native", "wait_heads", "worker_pods", "readiness", "drain", "drain_head",
         "tmp_memory", "tolerations", "dns", "spot", "budgets", "rules", "every_rule", "apply",
         "operations", "samples", "outage", "scale"]
OF_RAY = ("drain", "drain_head")


def load(names):
    return unittest.TestLoader().loadTestsFromNames(names)


def all_modules():
    files = [path.stem for path in sorted(HERE.glob("test_*.py"))]
    files.sort(key=lambda name: (ORDER + [name[5:]]).index(name[5:]))
    return files


class Result(unittest.TextTestResult):
    """Also keeps how each story ended, and how long it took."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.stories = {}
        self.began = time.monotonic()

    def startTest(self, story):
        self.began = time.monotonic()
        super().startTest(story)

    def note(self, story, how):
        self.stories[story.id()] = {"result": how,
                                    "seconds": round(time.monotonic() - self.began, 2)}

    def addSuccess(self, story):
        super().addSuccess(story)
        self.note(story, "passed")

    def addFailure(self, story, error):
        super().addFailure(story, error)
        self.note(story, "failed")

    def addError(self, story, error):
        super().addError(story, error)
        self.note(story, "error")

    def addSubTest(self, story, part, error):
        super().addSubTest(story, part, error)
        if error:
            self.note(story, "failed")

    def addSkip(self, story, reason):
        super().addSkip(story, reason)
        self.note(story, f"skipped: {reason}")


def run(suite):
    return unittest.TextTestRunner(verbosity=2, resultclass=Result).run(suite)


def loadable(name):
    """A fixture of a class or module has failed: then that is what runs again."""
    _, fixture, place = name.partition(" (")
    return place.rstrip(")") if fixture else name


def run_again(stories):
    """Once more what did not pass, after all others, alone; the record says so."""
    failed = [name for name, story in stories.items() if story["result"] in ("failed", "error")]
    for name in failed:
        print(f"\nonce more: {name}", file=sys.stderr)
        server().on()
        again = run(load([loadable(name)])).stories
        if again and all(story["result"] == "passed" for story in again.values()):
            stories.pop(name)
            for story in again.values():
                story["result"] = "passed at the second attempt"
        stories.update(again)


def write(path, content):
    """A reader sees all of it or the one before; and two runs may end at the same time."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    new.rename(path)
    print(f"written: {path}", file=sys.stderr)


def record(stories, name):
    seen = kubectl("version", "-o", "json").json()["serverVersion"]["gitVersion"]
    versions = {"kubernetes": seen}
    if not EXISTING:
        versions = {**tools.versions(), "kubernetes": seen, "ray": RAY}
    write(BUILD / name, {
        "versions": versions,
        "machine": {"kernel": platform.release(), "cpus": os.cpu_count()},
        "figures": proof.FIGURES,
        "stories": stories,
    })


def summary(stories):
    """The line that ctest ends with, and what there is to know beside it."""
    ends = [story["result"] for story in stories.values()]
    failed = sum(end in ("failed", "error") for end in ends)
    skipped = sum(end.startswith("skipped") for end in ends)
    for name, story in stories.items():
        if story["result"] not in ("passed", "failed", "error"):
            print(f"{name}: {story['result']}")
    print(count_line(len(ends), failed, skipped), flush=True)
    return 1 if failed or len(ends) == skipped else 0


def main():
    names, file = sys.argv[1:], "proof.json"
    if names == ["--of-ray"]:
        names, file = [f"test_{name}" for name in OF_RAY], f"proof-ray-{RAY}.json"
    elif names:
        file = "proof-part.json"
    suite = load(names or all_modules())
    server().on()
    stories = run(suite).stories
    if os.environ.get("CI"):
        run_again(stories)
    server().unregister()
    server().stop()
    record(stories, file)
    return summary(stories)


if __name__ == "__main__":
    sys.exit(main())
