"""gpu-tolerations: workers of a plain RayCluster on GPU nodes that keep others away."""

from kube import FAKE_TAINT, Story, add_node, group, kubectl, pods, ray_cluster, wait_until
from proof import record
from server import needs_the_bed, server


class TaintedNodes(Story):

    def setUp(self):
        super().setUp()
        self.node = f"gpu-{self.namespace}"[-40:].strip("-")
        self.addCleanup(kubectl, "delete", "node", self.node)
        add_node(self.node, capacity={"amd.com/gpu": "8"}, labels={"pool": self.node},
                 taints=[FAKE_TAINT,
                         {"key": "amd.com/gpu", "value": "present", "effect": "NoSchedule"}])

    def cluster(self):
        workers = group("gpu", 2, gpus=1, gpu="amd.com/gpu")
        workers["template"]["spec"]["nodeSelector"] = {"pool": self.node}
        return ray_cluster("training", self.namespace, workers)

    def workers(self):
        return pods(self.namespace, "ray.io/node-type=worker")

    @needs_the_bed
    def test_without_rayfix_the_workers_stay_pending(self):
        server().off()
        self.addCleanup(server().on)
        self.make(self.cluster())

        def reasons():
            found = [condition.get("message", "") for pod in self.workers()
                     for condition in pod["status"].get("conditions", [])
                     if condition["type"] == "PodScheduled" and condition["status"] == "False"]
            return found if len(found) == 2 else None
        for reason in wait_until("two workers that cannot be scheduled", reasons):
            self.assertIn("untolerated taint", reason)
        record("gpu-tolerations", without=f"Pending: {reasons()[0].partition('. ')[0]}")

    def test_with_rayfix_they_run(self):
        self.make(self.cluster())
        wait_until("two running workers", lambda: [
            pod["status"]["phase"] for pod in self.workers()] == ["Running", "Running"])
        for pod in self.workers():
            self.assertEqual(pod["spec"]["nodeName"], self.node)
        record("gpu-tolerations", **{"with": "2 of 2 workers Running"})
