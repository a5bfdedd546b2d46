#!/usr/bin/env python3
"""Every trap that the mutators and the protocol must not fall into has a test that carries its
number in its name, so that nobody takes one away unnoticed."""

import json
import re
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
WANTED = {*range(1, 33), 34, 35, 36, *range(47, 53)}

# "trap 4: …" and "traps 16 and 20: …" in the names of cases; trap_21 in those of functions.
IN_TEXT = re.compile(r"\btraps? ((?:\d+(?:, | and )?)+)")
IN_CODE = re.compile(r"\w*traps?((?:_\d+)+)")


def numbers(text):
    return {int(number) for number in re.findall(r"\d+", text)}


def in_case_names(text):
    found = set()
    for case in json.loads(text).get("cases", []):
        for match in IN_TEXT.finditer(case["name"]):
            found |= numbers(match.group(1))
    return found


def in_test_names(text):
    found = set()
    for match in IN_CODE.finditer(text):
        found |= numbers(match.group(1))
    return found


def carried():
    found = set()
    for path in TESTS.glob("*/*.json"):
        if path.parent.name in ("mutators", "validators"):
            found |= in_case_names(path.read_text(encoding="utf-8"))
    for path in sorted(TESTS.rglob("*")):
        if path.suffix in (".c", ".py", ".sh") and path != Path(__file__).resolve():
            found |= in_test_names(path.read_text(encoding="utf-8"))
    return found


class Traps(unittest.TestCase):
    def test_every_trap_has_a_test(self):
        missing = sorted(WANTED - carried())
        self.assertEqual(missing, [], "no case or test carries the number of these traps")

    def test_names_are_found_where_they_are_written(self):
        cases = {"cases": [{"name": "trap 4: a quote"}, {"name": "traps 16, 17 and 20: T"},
                           {"name": "no number", "note": "trap 9"}]}
        self.assertEqual(in_case_names(json.dumps(cases)), {4, 16, 17, 20})
        self.assertEqual(in_test_names("START_TEST(trap_9_twice) {"), {9})
        self.assertEqual(in_test_names("    def test_trap_21_hangs(self):"), {21})
        self.assertEqual(in_test_names("def test_traps_49_50(self):"), {49, 50})
        self.assertEqual(in_test_names("// trap 8 of the specification"), set())


if __name__ == "__main__":
    unittest.main()
