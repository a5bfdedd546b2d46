"""prestop-drain when the head dies in the middle of it: nobody is left to drain to."""

import time
import unittest

from draining import CLUSTERS, GRACE_PERIOD, cluster_for
from kube import create, kubectl, wait_until
from proof import record
from real import SharedNamespace, needs_ray, one_pod, wait_ready
from server import needs_the_bed
from test_budgets import evict

# By then `ray drain-node` was heard; the CLI takes 2 to 5 of them to start.
HOOK_SECONDS = 8
# Longer than the hook's budget: without a drain to give up the worker would stay for all of it.
TASK = """
@ray.remote(num_cpus=1, max_retries=0)
def work(seconds):
    time.sleep(seconds)
ray.get(work.remote(0))
task = work.remote(100)
time.sleep(1)
say(started=True)
outcome(task)
"""


@needs_ray
@needs_the_bed
class DeadHead(SharedNamespace):

    def test_the_worker_ends_soon(self):
        create(cluster_for("beheaded", self.namespace, CLUSTERS["with"], workers=1, cpu="500m"))
        wait_ready(self.namespace, 2, 300)
        head, worker = one_pod(self.namespace, "head"), one_pod(self.namespace, "worker")
        self.driver(head, TASK).next()
        self.assertTrue(evict(worker).ok)
        began = time.monotonic()
        time.sleep(HOOK_SECONDS)
        kubectl("delete", "pod", head["metadata"]["name"], "-n", self.namespace, "--force",
                "--grace-period=0")
        died = time.monotonic()
        wait_until("the worker gone", lambda: not kubectl(
            "get", "pod", worker["metadata"]["name"], "-n", self.namespace, check=False).ok,
            GRACE_PERIOD + 60)
        seconds = round(time.monotonic() - began, 1)
        record("prestop-drain: head dies while a worker drains", **{"with": {
            "worker gone after its eviction, s": seconds,
            "after the head's death, s": round(time.monotonic() - died, 1)}})
        self.assertLess(seconds, GRACE_PERIOD + 15)


if __name__ == "__main__":
    unittest.main()
