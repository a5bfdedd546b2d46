"""prestop-drain where there is nothing to drain: how long pods take to go."""

import time
import unittest

from draining import CLUSTERS, TwoClusters
from kube import kubectl, pods, wait_until
from proof import record
from real import needs_ray
from server import needs_the_bed


@needs_ray
@needs_the_bed
class Times(TwoClusters):
    """Nothing else runs on the machine meanwhile (spread/jobs.py): seconds are what is told. The
    limits here are those of a hook that waits for what is gone, which takes 35 s and more."""

    workers = 1

    def test_an_idle_worker_goes_soon(self):
        gone = self.evict({name: self.role(name, "worker")[0] for name in CLUSTERS})
        for name, seconds in gone.items():
            record("prestop-drain", **{name: {"idle worker gone after, s": seconds}})
        self.assertLess(gone["with"], 20)

    def test_the_whole_cluster_deleted(self):
        """Comes last: the two clusters end here, one after the other."""
        seconds = {}
        for name in CLUSTERS:
            began = time.monotonic()
            kubectl("delete", "raycluster", name, "-n", self.namespace)
            wait_until("no pods", lambda: not pods(self.namespace, f"ray.io/cluster={name}"), 120)
            seconds[name] = round(time.monotonic() - began, 1)
            record("prestop-drain", **{name: {"deleted cluster gone after, s": seconds[name]}})
        self.assertLess(seconds["with"], seconds["without"] + 25)


if __name__ == "__main__":
    unittest.main()
