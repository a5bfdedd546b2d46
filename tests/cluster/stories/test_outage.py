"""The server is gone: Ray goes on, and what policy decides waits."""

import unittest

from kube import (Story, applied, create, get, get_all, group, kubectl, patch, pods, ray_cluster,
                  ray_job, wait_until)
from proof import record
from server import needs_the_bed, server
from test_budgets import budget


def number_of(namespace, selector="ray.io/node-type"):
    return len(pods(namespace, selector))


@needs_the_bed
class Killed(Story):

    def setUp(self):
        super().setUp()
        create(ray_cluster("before", self.namespace, group("cpu", 1, 5)))
        wait_until("its pods", lambda: number_of(self.namespace) == 2)

    def kill(self):
        server().kill()
        self.addCleanup(server().start)

    def assertRefused(self, thing):
        refused = create(thing, check=False)
        self.assertDenied(refused, "failed calling webhook", "ray-validate-create.rayfix.io")
        return refused.err.strip()

    def test_a_running_cluster_scales_and_goes(self):
        self.kill()
        patch("raycluster", "before", self.namespace,
              [{"op": "replace", "path": "/spec/workerGroupSpecs/0/replicas", "value": 3}],
              True, "json")
        workers = wait_until("three workers", lambda: (
            lambda found: found if len(found) == 3 else None)(
                pods(self.namespace, "ray.io/node-type=worker")))
        self.assertEqual(sorted(len(applied(worker)) > 0 for worker in workers),
                         [False, False, True], "the new ones start as KubeRay made them")
        wait_until("the new ones run, too", lambda: {
            pod["status"]["phase"] for pod in pods(self.namespace)} == {"Running"})
        kubectl("delete", "raycluster", "before", "-n", self.namespace)
        wait_until("no pods", lambda: not pods(self.namespace))
        record("outage", **{"a cluster that is there": "scales, its new pods start without the "
                                                       "fixes; it is deleted"})

    def test_a_lost_worker_comes_back(self):
        self.kill()
        [lost] = pods(self.namespace, "ray.io/node-type=worker")
        kubectl("delete", "pod", lost["metadata"]["name"], "-n", self.namespace)
        wait_until("another worker runs", lambda: [
            pod for pod in pods(self.namespace, "ray.io/node-type=worker")
            if pod["metadata"]["uid"] != lost["metadata"]["uid"]
            and pod["status"]["phase"] == "Running"])

    def test_new_ones_are_refused_clearly(self):
        self.kill()
        words = self.assertRefused(ray_cluster("new", self.namespace, group("cpu", 1, 5)))
        self.assertRefused(ray_job("new", self.namespace, group("cpu", 1, 5)))
        record("outage", **{"a new RayCluster, RayJob": words})

    def test_a_budget_is_made_unseen(self):
        self.kill()
        create(budget(self.namespace, maxUnavailable=1))
        record("outage", **{"a new PodDisruptionBudget": "is stored unseen, also a bad one"})

    def test_a_job_is_suspended_and_runs_again_when_the_server_is_back(self):
        create(ray_job("job", self.namespace, group("cpu", 1, 2)))
        wait_until("its pods", lambda: number_of(self.namespace) == 4)
        self.kill()
        patch("rayjob", "job", self.namespace, {"spec": {"suspend": True}})
        wait_until("its pods gone", lambda: number_of(self.namespace) == 2)
        patch("rayjob", "job", self.namespace, {"spec": {"suspend": False}})
        wait_until("its RayCluster is asked for", lambda: get(
            "rayjob", "job", self.namespace)["status"].get("jobDeploymentStatus") == "Initializing")
        wait_until("an event that says why not", lambda: any(
            event["reason"] == "FailedToCreateRayCluster"
            and "ray-validate-create.rayfix.io" in event["message"]
            for event in get_all("events", self.namespace)))
        self.assertEqual(number_of(self.namespace), 2)
        server().start()
        wait_until("its pods again", lambda: number_of(self.namespace) == 4, 90)
        record("outage", **{"a RayJob that is there": "is suspended; resumed, it waits for the "
                                                      "server, as its RayCluster is a new one"})


if __name__ == "__main__":
    unittest.main()
