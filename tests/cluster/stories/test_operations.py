"""What operators and people do to clusters that are there must go on working."""

from kube import (Story, create, get, get_all, group, kubectl, patch, pods, ray_cluster, ray_job,
                  wait_until)
from proof import record
from server import needs_the_bed, server


class OlderThanRayfix(Story):
    """A RayCluster that breaks a limit and was there first."""

    def setUp(self):
        super().setUp()
        server().off()
        try:
            create(ray_cluster("old", self.namespace, group("cpu", 1, 60)))
            wait_until("its worker", lambda: pods(self.namespace, "ray.io/node-type=worker"))
        finally:
            server().on()

    def groups(self, **changes):
        old = get("raycluster", "old", self.namespace)["spec"]["workerGroupSpecs"]
        old[0].update(changes)
        return {"spec": {"workerGroupSpecs": old}}

    @needs_the_bed
    def test_the_autoscaler_scales_it(self):
        replicas = {"op": "replace", "path": "/spec/workerGroupSpecs/0/replicas", "value": 4}
        changed = patch("raycluster", "old", self.namespace, [replicas], True, "json")
        self.assertTrue(changed.ok)
        wait_until("four workers",
                   lambda: len(pods(self.namespace, "ray.io/node-type=worker")) == 4)
        victim = pods(self.namespace, "ray.io/node-type=worker")[0]["metadata"]["name"]
        patch("raycluster", "old", self.namespace, self.groups(
            replicas=3, scaleStrategy={"workersToDelete": [victim]}))
        wait_until("the worker gone", lambda: victim not in [
            pod["metadata"]["name"] for pod in pods(self.namespace)])

    @needs_the_bed
    def test_worse_is_refused_and_better_is_warned_about(self):
        worse = patch("raycluster", "old", self.namespace, self.groups(maxReplicas=70), False)
        self.assertDenied(worse, "V04", "70")
        better = patch("raycluster", "old", self.namespace, self.groups(maxReplicas=55))
        self.assertIn("Warning: ", better.err)

    @needs_the_bed
    def test_its_workers_come_back_after_they_are_lost(self):
        [lost] = pods(self.namespace, "ray.io/node-type=worker")
        kubectl("delete", "pod", lost["metadata"]["name"], "-n", self.namespace)
        wait_until("another worker", lambda: [
            pod for pod in pods(self.namespace, "ray.io/node-type=worker")
            if pod["metadata"]["uid"] != lost["metadata"]["uid"]])

    @needs_the_bed
    def test_its_status_labels_and_annotations_change(self):
        kubectl("label", "raycluster", "old", "-n", self.namespace, "stories/touched=yes")
        kubectl("annotate", "raycluster", "old", "-n", self.namespace, "stories/touched=yes")
        patch("raycluster", "old", self.namespace, {"status": {"reason": "as a story says"}}, True,
              "merge", "--subresource=status")

    @needs_the_bed
    def test_it_is_suspended_and_resumed(self):
        patch("raycluster", "old", self.namespace, {"spec": {"suspend": True}})
        wait_until("no pods", lambda: not pods(self.namespace))
        resumed = patch("raycluster", "old", self.namespace, {"spec": {"suspend": False}})
        self.assertIn("Warning: rayfix: max-workers", resumed.err)
        wait_until("its pods again", lambda: len(pods(self.namespace)) == 2)

    @needs_the_bed
    def test_a_finalizer_comes_off_and_it_goes(self):
        patch("raycluster", "old", self.namespace,
              {"metadata": {"finalizers": ["stories.example/hold"]}})
        kubectl("delete", "raycluster", "old", "-n", self.namespace, "--wait=false")
        self.assertIn("deletionTimestamp", get("raycluster", "old", self.namespace)["metadata"])
        patch("raycluster", "old", self.namespace, {"metadata": {"finalizers": []}})
        wait_until("it is gone", lambda: not kubectl(
            "get", "raycluster", "old", "-n", self.namespace, check=False).ok)


class JobOlderThanRayfix(Story):
    """A suspended RayJob that breaks a limit: Kueue holds jobs so until there is room."""

    def setUp(self):
        super().setUp()
        server().off()
        try:
            create(ray_job("old", self.namespace, group("cpu", 1, 60), suspend=True))
        finally:
            server().on()

    def refusal(self):
        return next((event["message"] for event in get_all("events", self.namespace)
                     if event["reason"] == "FailedToCreateRayCluster"), None)

    @needs_the_bed
    def test_resuming_it_is_admitted_and_its_cluster_is_judged_as_a_new_object(self):
        """An owner can be forged, so that being a job's is no reason to admit a RayCluster."""
        resumed = patch("rayjob", "old", self.namespace, {"spec": {"suspend": False}})
        self.assertIn("Warning: rayfix: max-workers", resumed.err)
        refusal = wait_until("an event that says why there is no cluster", self.refusal)
        self.assertIn("rayfix refuses RayCluster", refusal)
        record("ratchet", resumed_rayjob_above_a_limit=refusal)


class Suspend(Story):

    def test_a_job_is_suspended_and_resumed(self):
        create(ray_job("job", self.namespace, group("cpu", 1, 2), suspend=True))
        for suspend in (False, True, False):
            changed = patch("rayjob", "job", self.namespace, {"spec": {"suspend": suspend}})
            self.assertTrue(changed.ok, changed.err)
            wanted = 0 if suspend else 2
            wait_until(f"{wanted} pods", lambda: len(
                pods(self.namespace, "ray.io/node-type")) == wanted)

    def test_a_cluster_is_suspended_and_resumed(self):
        create(ray_cluster("paused", self.namespace, group("cpu", 2)))
        wait_until("its pods", lambda: len(pods(self.namespace)) == 3)
        patch("raycluster", "paused", self.namespace, {"spec": {"suspend": True}})
        wait_until("no pods", lambda: not pods(self.namespace))
        patch("raycluster", "paused", self.namespace, {"spec": {"suspend": False}})
        wait_until("its pods again", lambda: len(pods(self.namespace)) == 3)
