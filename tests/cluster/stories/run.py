#!/usr/bin/env python3
"""Runs the stories (all, or those that are named as MODULE.CLASS.TEST) and writes
build/proof.json; build/proof-part.json if some are named."""

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
from kube import kubectl
from server import EXISTING, server

# As in the table: the fixes first, then the rules, then what happens without the server.
ORDER = ["wait", "wait_heads", "worker_pods", "readiness", "drain", "tmp_memory", "tolerations",
         "dns", "budgets", "rules", "operations", "samples", "outage", "scale"]


def load(names):
    loader = unittest.TestLoader()
    if names:
        return loader.loadTestsFromNames(names)
    files = [path.stem for path in sorted(HERE.glob("test_*.py"))]
    files.sort(key=lambda name: (ORDER + [name[5:]]).index(name[5:]))
    return unittest.TestSuite(loader.loadTestsFromName(name) for name in files)


class Result(unittest.TextTestResult):
    """Also keeps how each story ended, and how long it took."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.stories = {}

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

    def addSkip(self, story, reason):
        super().addSkip(story, reason)
        self.note(story, f"skipped: {reason}")


def main():
    stories = load(sys.argv[1:])
    server().on()
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(stories)
    server().unregister()
    server().stop()
    seen = kubectl("version", "-o", "json").json()["serverVersion"]["gitVersion"]
    versions = {"kubernetes": seen}
    if not EXISTING:
        versions = {**tools.versions(), "kubernetes": seen,
                    "ray": os.environ.get("RAY_VERSION", "2.46.0")}
    content = {
        "versions": versions,
        "machine": {"kernel": platform.release(), "cpus": os.cpu_count()},
        "figures": proof.FIGURES,
        "stories": result.stories,
    }
    # A few stories are no record of all; and two runs may end at the same time.
    name = "proof-part.json" if sys.argv[1:] else "proof.json"
    path = HERE.parents[2] / "build" / name
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    new.rename(path)
    print(f"written: {path}", file=sys.stderr)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
