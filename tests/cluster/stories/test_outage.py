"""The server is gone: Ray goes on, and what policy decides waits."""

from kube import (Story, applied, create, group, kubectl, patch, pods, ray_cluster, wait_until)
from proof import record
from server import needs_the_bed, server


@needs_the_bed
class Killed(Story):

    def setUp(self):
        super().setUp()
        create(ray_cluster("before", self.namespace, group("cpu", 1, 5)))
        wait_until("its pods", lambda: len(pods(self.namespace)) == 2)
        server().kill()
        self.addCleanup(server().start)

    def test_a_running_cluster_scales_and_goes(self):
        patch("raycluster", "before", self.namespace,
              [{"op": "replace", "path": "/spec/workerGroupSpecs/0/replicas", "value": 3}],
              True, "json")
        workers = wait_until("three workers", lambda: (
            lambda found: found if len(found) == 3 else None)(
                pods(self.namespace, "ray.io/node-type=worker")))
        self.assertEqual(sorted(len(applied(worker)) > 0 for worker in workers),
                         [False, False, True], "the new ones start as KubeRay made them")
        kubectl("delete", "raycluster", "before", "-n", self.namespace)
        wait_until("no pods", lambda: not pods(self.namespace))
        record("outage", running_cluster="pods start (Ignore), scaling and deleting work")

    def test_a_new_cluster_is_refused_clearly(self):
        refused = create(ray_cluster("new", self.namespace, group("cpu", 1, 5)), check=False)
        self.assertDenied(refused, "failed calling webhook", "ray-validate-create.rayfix.io")
        record("outage", new_cluster=refused.err.strip()[:300])
