#!/usr/bin/env python3
"""Runs stories in this cluster, and writes what they measured."""

import argparse
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
from bed.paths import ROOT
from kube import kubectl
from real import VERSION
from server import EXISTING, server
from spread import records


def all_modules():
    return [path.stem for path in sorted(HERE.glob("test_*.py"))]


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


def record(stories):
    seen = kubectl("version", "-o", "json").json()["serverVersion"]["gitVersion"]
    versions = {"kubernetes": seen}
    if not EXISTING:
        versions = {**tools.versions(), "kubernetes": seen, "ray": VERSION}
    return {"versions": versions,
            "machine": {"kernel": platform.release(), "cpus": os.cpu_count()},
            "figures": proof.FIGURES, "stories": stories}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, default=ROOT / "build" / "proof-part.json",
                        help="the file that gets what was measured")
    parser.add_argument("stories", nargs="*", metavar="MODULE[.CLASS[.TEST]]", help="all of them")
    arguments = parser.parse_args()
    suite = unittest.TestLoader().loadTestsFromNames(arguments.stories or all_modules())
    server().on()
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(suite)
    server().unregister()
    server().kill()
    records.write(arguments.record, record(result.stories))
    return records.summary(result.stories)


if __name__ == "__main__":
    sys.exit(main())
