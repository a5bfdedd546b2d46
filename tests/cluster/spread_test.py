#!/usr/bin/env python3
"""How the stories are spread over clusters: nothing is left out or counted twice, a failure stays
one. Needs no cluster."""

import os
import sys
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

from spread import jobs, records, slots
from spread.dispatch import Done, Todo
from spread.run import by_ray


def record(figures=None, **stories):
    return {"versions": {}, "machine": {}, "figures": figures or {},
            "stories": {name: {"result": result, "seconds": 1}
                        for name, result in stories.items()}}


class Jobs(unittest.TestCase):

    def test_every_story_is_in_one(self):
        with mock.patch.object(jobs, "BY_CLASS", ("test_wait",)):
            names = [name for job in jobs.all_jobs("1") for name in job.stories]
        modules = {path.stem for path in jobs.STORIES.glob("test_*.py")}
        self.assertEqual({name.partition(".")[0] for name in names}, modules)
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(sorted(name for name in names if name.startswith("test_wait.")),
                         ["test_wait.Restricted", "test_wait.Waiting"])

    def test_those_of_ray_run_with_each_version(self):
        drains = [job.ray for job in jobs.all_jobs("1", ["2", "3"]) if "test_drain" in job.stories]
        self.assertEqual(sorted(drains), ["1", "2", "3"])

    def test_what_takes_much_room_and_what_is_long_comes_first(self):
        order = [(job.slots, job.seconds) for job in jobs.all_jobs("1")]
        self.assertEqual(order, sorted(order, reverse=True))
        self.assertEqual(order[0][0], slots.WORK[1])

    def test_the_tables_name_what_is_there(self):
        names = {name for job in jobs.all_jobs("1") for name in job.stories}
        self.assertLessEqual({*jobs.SECONDS, *jobs.SLOTS}, names)
        self.assertLessEqual({*jobs.OF_RAY, *jobs.BY_CLASS},
                             {name.partition(".")[0] for name in names})


class WorkedOff(unittest.TestCase):

    def work_off(self, todo, results):
        """What a single cluster is given, and answers."""
        taken = []
        while job := todo.take():
            taken.append(job)
            todo.put(Done(job, record(**results[len(taken) - 1]), 1))
        return taken

    def test_what_failed_runs_once_more_after_all_others(self):
        todo = Todo(jobs.named_jobs(["a", "b"], "1"), again=True)
        taken = self.work_off(todo, [{"a.A.x": "failed"}, {"b.B.y": "passed"},
                                     {"a.A.x": "failed"}])
        self.assertEqual([job.stories for job in taken], [("a",), ("b",), ("a.A.x",)])
        self.assertEqual(taken[-1].slots, slots.WORK[1])

    def test_of_those_that_want_several_slots_one_runs_at_a_time(self):
        todo = Todo(jobs.named_jobs(["test_endurance.Rotations", "test_endurance.Replaced", "a"], "1"),
                    again=False)
        taken = [todo.take().stories[0] for _ in range(3)]
        self.assertEqual(taken, ["test_endurance.Rotations", "a", "test_endurance.Replaced"])

    def test_nothing_runs_again_on_a_persons_machine(self):
        todo = Todo(jobs.named_jobs(["a"], "1"), again=False)
        self.assertEqual(len(self.work_off(todo, [{"a.A.x": "failed"}])), 1)

    def test_after_ctrl_c_nothing_begins(self):
        todo = Todo(jobs.named_jobs(["a"], "1"), again=False)
        todo.stop()
        self.assertIsNone(todo.take())

    def while_one_is_alone(self, then):
        """What another cluster is given that asks meanwhile: nothing at first."""
        todo = Todo(jobs.named_jobs(["test_cost", "a"], "1"), again=False)
        alone, given = todo.take(), []
        other = threading.Thread(target=lambda: given.append(todo.take()), daemon=True)
        other.start()
        other.join(0.2)
        self.assertEqual(given, [])
        then(todo, alone)
        other.join(10)
        return [job and job.name for job in given]

    def test_nothing_begins_while_one_wants_all_slots(self):
        self.assertEqual(self.while_one_is_alone(lambda todo, job: todo.put(
            Done(job, record(), 1))), ["a"])
        self.assertEqual(self.while_one_is_alone(lambda todo, job: todo.stop()), [None])

    def test_nobody_waits_for_a_job_that_died(self):
        def die(todo, _):
            with self.assertRaises(OSError), todo.promise():
                raise OSError
        self.assertEqual(self.while_one_is_alone(die), ["a"])


class Records(unittest.TestCase):

    def both(self, first, again):
        job = jobs.named_jobs(["a"], "1")[0]
        return by_ray([Done(job, first, 1), Done(jobs.once_more(["a"], "1"), again, 1)])["1"]

    def test_figures_of_several_are_added(self):
        whole = records.merged([record({"fix": {"with": {"s": 1}}}, a="passed"),
                                record({"fix": {"with": {"MB": 2}, "without": 3}}, b="passed")])
        self.assertEqual(whole["figures"], {"fix": {"with": {"s": 1, "MB": 2}, "without": 3}})
        self.assertEqual(sorted(whole["stories"]), ["a", "b"])

    def test_a_second_attempt_is_said(self):
        whole = self.both(record(x="failed", y="passed"), record(x="passed"))
        self.assertEqual({name: story["result"] for name, story in whole["stories"].items()},
                         {"x": "passed at the second attempt", "y": "passed"})

    def test_a_second_failure_is_a_failure(self):
        whole = self.both(record(x="failed"), record(x="error"))
        self.assertEqual(records.failed(whole), ["x"])

    def test_a_fixture_that_failed_gives_way_to_its_stories(self):
        first = record(**{"setUpClass (a.A)": "error"})
        self.assertEqual(records.failed(first), ["a.A"])
        whole = self.both(first, record(**{"a.A.x": "passed"}))
        self.assertEqual(list(whole["stories"]), ["a.A.x"])
        self.assertEqual(records.failed(self.both(first, record())), ["a.A"])

    def test_a_cluster_that_was_lost_gives_way_to_the_stories_of_its_job(self):
        whole = self.both(record(test_a="error"), record(**{"test_a.A.x": "passed"}))
        self.assertEqual(list(whole["stories"]), ["test_a.A.x"])


class Slots(unittest.TestCase):

    def setUp(self):
        name = mock.patch.object(slots, "NAME", f"\0rayfix-spread-test-{os.getpid()}-{{}}-{{}}")
        name.start()
        self.addCleanup(name.stop)
        self.over = threading.Event()

    def is_free(self):
        slot = slots.take("work", 0)
        if slot:
            slot.close()
        return bool(slot)

    def test_one_is_held_and_given_back(self):
        with slots.held(slots.WORK, self.over.is_set):
            self.assertFalse(self.is_free())
        self.assertTrue(self.is_free())

    def test_who_wants_all_waits_for_them(self):
        with slots.held(slots.WORK, self.over.is_set):
            waiting = threading.Thread(target=self.hold, args=(slots.WORK[1],))
            waiting.start()
            waiting.join(0.2)
            self.assertTrue(waiting.is_alive())
        waiting.join(10)
        self.assertFalse(waiting.is_alive())

    def hold(self, count, order=None):
        with slots.held(slots.WORK, self.over.is_set, count):
            if order is not None:
                order.append(count)
            time.sleep(0.01)

    def test_who_waits_for_all_is_not_passed(self):
        order, waiting = [], []
        with slots.held(slots.WORK, self.over.is_set):
            for count in (slots.WORK[1], 1):
                waiting.append(threading.Thread(target=self.hold, args=(count, order)))
                waiting[-1].start()
                waiting[-1].join(0.2)
        for each in waiting:
            each.join(60)
        self.assertEqual(order, [slots.WORK[1], 1])

    def test_nobody_waits_for_ever(self):
        waiting = [threading.Thread(target=self.hold, args=(1 + number % slots.WORK[1],))
                   for number in range(9)]
        for each in waiting:
            each.start()
        for each in waiting:
            each.join(60)
            self.assertFalse(each.is_alive())

    def test_it_is_given_up(self):
        self.over.set()
        with self.assertRaises(slots.GivenUp), slots.held(slots.WORK, self.over.is_set):
            self.fail("nobody wants it")


if __name__ == "__main__":
    unittest.main()
