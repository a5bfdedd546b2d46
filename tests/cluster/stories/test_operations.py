"""What operators and people do to clusters that are there must go on working."""

from kube import Story, create, get, group, kubectl, patch, pods, ray_cluster, wait_until
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
    def test_a_finalizer_comes_off_and_it_goes(self):
        patch("raycluster", "old", self.namespace,
              {"metadata": {"finalizers": ["stories.example/hold"]}})
        kubectl("delete", "raycluster", "old", "-n", self.namespace, "--wait=false")
        self.assertIn("deletionTimestamp", get("raycluster", "old", self.namespace)["metadata"])
        patch("raycluster", "old", self.namespace, {"metadata": {"finalizers": []}})
        wait_until("it is gone", lambda: not kubectl(
            "get", "raycluster", "old", "-n", self.namespace, check=False).ok)


class Suspend(Story):

    def test_a_job_is_suspended_and_resumed(self):
        spec = ray_cluster("x", self.namespace, group("cpu", 1, 2))["spec"]
        create({"apiVersion": "ray.io/v1", "kind": "RayJob",
                "metadata": {"name": "job", "namespace": self.namespace},
                "spec": {"entrypoint": "true", "suspend": True, "rayClusterSpec": spec}})
        for suspend in (False, True, False):
            changed = patch("rayjob", "job", self.namespace, {"spec": {"suspend": suspend}})
            self.assertTrue(changed.ok, changed.err)
            if not suspend:
                wait_until("its pods", lambda: len(
                    pods(self.namespace, "ray.io/node-type")) == 2)

    def test_a_cluster_is_suspended_and_resumed(self):
        create(ray_cluster("paused", self.namespace, group("cpu", 2)))
        wait_until("its pods", lambda: len(pods(self.namespace)) == 3)
        patch("raycluster", "paused", self.namespace, {"spec": {"suspend": True}})
        wait_until("no pods", lambda: not pods(self.namespace))
        patch("raycluster", "paused", self.namespace, {"spec": {"suspend": False}})
        wait_until("its pods again", lambda: len(pods(self.namespace)) == 3)
