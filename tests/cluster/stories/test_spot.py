"""spot-placement: GPU workers that ask for it run on spot nodes, by the real scheduler's choice."""

import unittest

from configured import with_configuration
from kube import (FAKE_TAINT, Story, add_node, applied, create, group, kubectl, pods, ray_cluster,
                  wait_until)
from proof import record
from server import needs_the_bed, server

GKE = "cloud.google.com/gke-spot"


def placed(node):
    return "spot" if "spot" in node else "on-demand"


@needs_the_bed
class Spot(Story):
    """Two nodes with GPUs. The one on demand has more room: the scheduler takes it first."""

    def setUp(self):
        super().setUp()
        end = self.namespace[-30:].strip("-")
        self.spot, on_demand = f"spot-{end}", f"demand-{end}"
        small = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "8"}
        self.node(self.spot, capacity=small, taints=[FAKE_TAINT],
                  labels={"pool": self.namespace, "capacity-class": "spot"})
        self.node(on_demand, capacity={"nvidia.com/gpu": "8"}, taints=[FAKE_TAINT],
                  labels={"pool": self.namespace, "capacity-class": "on-demand"})

    def node(self, name, **more):
        self.addCleanup(kubectl, "delete", "node", name)
        add_node(name, **more)

    def configure(self, **spot_placement):
        with_configuration(self, mutators={"spot-placement": {"provider": "capacity-class",
                                                              **spot_placement}})

    def worker(self, **annotations):
        """Makes a cluster of one GPU worker, and returns the worker."""
        workers = group("gpu", 1, gpus=1)
        workers["template"]["metadata"]["annotations"] = {
            f"rayfix.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
        workers["template"]["spec"]["nodeSelector"] = {"pool": self.namespace}
        create(ray_cluster("training", self.namespace, workers))
        [pod] = wait_until("the worker", lambda: pods(self.namespace, "ray.io/node-type=worker"))
        return pod

    def runs_on(self):
        def node():
            [pod] = pods(self.namespace, "ray.io/node-type=worker")
            return pod["status"].get("phase") == "Running" and pod["spec"]["nodeName"]
        return wait_until("the worker runs", node)

    def is_pending(self):
        [pod] = pods(self.namespace, "ray.io/node-type=worker")
        return any(condition.get("reason") == "Unschedulable"
                   for condition in pod["status"].get("conditions", []))

    def test_without_rayfix_the_annotation_changes_nothing(self):
        server().off()
        self.addCleanup(server().on)
        self.worker(spot="prefer")
        self.assertEqual(placed(self.runs_on()), "on-demand")
        record("spot-placement", without="a worker with rayfix.io/spot: prefer runs on demand")

    def test_a_worker_that_prefers_spot_runs_there(self):
        self.configure()
        self.assertIn("spot-placement", applied(self.worker(spot="prefer")))
        self.assertEqual(placed(self.runs_on()), "spot")
        [head] = pods(self.namespace, "ray.io/node-type=head")
        self.assertNotIn("affinity", head["spec"], "never heads")
        record("spot-placement", **{"with": "it runs on the spot node"})

    def test_it_runs_on_demand_while_there_is_no_spot_node(self):
        self.configure()
        kubectl("cordon", self.spot)
        self.worker(spot="prefer")
        self.assertEqual(placed(self.runs_on()), "on-demand")

    def test_a_worker_that_requires_spot_waits_for_it(self):
        self.configure()
        kubectl("cordon", self.spot)
        self.worker(spot="require")
        wait_until("it cannot be scheduled", self.is_pending)
        kubectl("uncordon", self.spot)
        self.assertEqual(placed(self.runs_on()), "spot")

    def test_a_worker_that_does_not_ask_is_left_alone(self):
        self.configure()
        self.assertNotIn("spot-placement", applied(self.worker()))
        self.assertEqual(placed(self.runs_on()), "on-demand")

    def test_where_all_are_sent_a_worker_opts_out(self):
        self.configure(placement="require")
        self.assertNotIn("spot-placement", applied(self.worker(spot_placement="false")))
        self.assertEqual(placed(self.runs_on()), "on-demand")

    def test_one_namespace_sends_all_of_its_workers_also_onto_tainted_nodes(self):
        gke = f"gke-{self.spot}"[-50:]
        self.node(gke, capacity={"nvidia.com/gpu": "8"},
                  labels={"pool": self.namespace, GKE: "true"},
                  taints=[FAKE_TAINT, {"key": GKE, "value": "true", "effect": "NoSchedule"}])
        with_configuration(self, namespaces=[{
            "match": self.namespace,
            "mutators": {"spot-placement": {"placement": "require", "provider": "gke"}}}])
        self.assertIn("spot-placement", applied(self.worker()))
        self.assertEqual(self.runs_on(), gke)


if __name__ == "__main__":
    unittest.main()
