"""prestop-drain: what an eviction does to the work on a worker."""

import time
import unittest

from drain_programs import ACTORS, BUNDLES, SERVE, TASK, TASK_SECONDS
from draining import CLUSTERS, GRACE_PERIOD, TwoClusters
from proof import record
from real import VERSION, needs_ray
from server import needs_the_bed


@needs_ray
@needs_the_bed
class Drain(TwoClusters):

    def started(self, program):
        """The program in both clusters, and the workers on which its work runs."""
        drivers = self.drivers(program)
        return drivers, {name: self.worker_at(name, driver.next(240)["where"])
                         for name, driver in drivers.items()}

    def test_a_task_that_is_never_retried(self):
        drivers, workers = self.started(TASK)
        gone = self.evict(workers)
        for name, driver in drivers.items():
            said = driver.next()
            record("prestop-drain", **{name: {"task on an evicted worker": said["task"],
                                              "its pod gone after, s": gone[name]}})
            if name == "with":
                self.assertEqual(said["task"], "finished")
            elif VERSION == "2.46.0":  # later ones drain on SIGTERM, for 30 s at most
                self.assertIn("lost", said["task"])
        # With the task, and not with the hook's budget of 45 s.
        self.assertLess(gone["with"], TASK_SECONDS + 15)

    def test_actors(self):
        drivers, workers = self.started(ACTORS)
        gone = self.evict(workers)
        for name, driver in drivers.items():
            said = driver.next(240)
            record("prestop-drain: actors with max_restarts", **{name: {
                "its pod gone after, s": gone[name],
                "call in a detached actor": said["detached"],
                "call in a driver's actor": said["owned"],
                "elsewhere after, s": said["seconds"] if said["elsewhere"] else "never",
                "calls failed meanwhile": said["failed"],
                "longest silence, s": said["gap"]}})
            self.assertTrue(said["elsewhere"], said)
            if name == "with":
                self.assertEqual((said["detached"], said["owned"]), ("finished", "finished"))
        self.assertLess(gone["with"], GRACE_PERIOD + 15)

    def test_placement_group(self):
        drivers, workers = self.started(BUNDLES)
        gone = self.evict(workers)
        for name, driver in drivers.items():
            said = driver.next(300)
            record("prestop-drain: placement group over two workers", **{name: {
                "its pod gone after, s": gone[name], "task in the bundle": said["task"],
                "bundle elsewhere after, s": said["seconds"] if said["elsewhere"] else "never"}})
            self.assertTrue(said["elsewhere"], said)
            if name == "with":
                self.assertEqual(said["task"], "finished")
        self.assertLess(gone["with"], GRACE_PERIOD + 15)

    def test_serve_under_traffic(self):
        drivers, workers = self.started(SERVE)
        gone = self.evict(workers)
        time.sleep(3)
        failed = {}
        for name, driver in drivers.items():
            driver.tell()
            said = driver.next()
            failed[name] = sum(said["errors"].values())
            record("prestop-drain: Serve, 2 replicas, 8 clients", **{name: {
                "its pod gone after, s": gone[name], "answers": sum(said["answers"].values()),
                "failed requests": failed[name], "errors": said["errors"] or "none"}})
        # Serve of 2.46 does not ask which nodes are draining (its get_draining_nodes() is empty), so
        # its replica stays to the end, and with it goes at most one request of each client.
        lost = 8 if VERSION == "2.46.0" else failed["without"]
        self.assertLessEqual(failed["with"], lost)
        self.assertLess(gone["with"], GRACE_PERIOD + 15)


if __name__ == "__main__":
    unittest.main()
