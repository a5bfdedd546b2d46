"""Two Ray clusters that differ in prestop-drain only, and evictions from both at once."""

import time

from kube import create, group, pods, wait_until
from real import SharedNamespace, is_ready, real_cluster
from server import server
from test_budgets import evict

# In the first the fix is switched off by its annotation: its pods are what KubeRay makes.
CLUSTERS = {"without": {"rayfix.io/prestop-drain": "false"}, "with": {}}
GRACE_PERIOD = 60  # what the fix sets; the kubelet adds a moment


def cluster_for(name, namespace, annotations, workers, cpu):
    cluster = real_cluster(name, namespace, group("cpu", workers))
    for template in (cluster["spec"]["headGroupSpec"]["template"],
                     cluster["spec"]["workerGroupSpecs"][0]["template"]):
        template["metadata"]["annotations"] = dict(annotations)
        template["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu
    return cluster


class TwoClusters(SharedNamespace):
    workers = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Six pods on two cores: their requests are below the usual minimum.
        server().kill()
        cls.addClassCleanup(server().start)
        cls.addClassCleanup(server().kill)
        server().start({"apiVersion": "rayfix.io/v1alpha1", "kind": "Configuration",
                        "validators": {"min-requests": {"action": "off"}}})
        for name, annotations in CLUSTERS.items():
            create(cluster_for(name, cls.namespace, annotations, cls.workers, "100m"))
            cls.wait_ready(name)

    @classmethod
    def wait_ready(cls, *names):
        """A cluster's pods, also those that replace evicted ones."""
        def all_ready():
            found = [pod for name in names for pod in pods(cls.namespace, f"ray.io/cluster={name}")]
            return len(found) == len(names) * (1 + cls.workers) and all(
                is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in found)
        wait_until("all pods ready", all_ready, 420)

    def setUp(self):
        self.wait_ready(*CLUSTERS)

    def role(self, cluster, role):
        return pods(self.namespace, f"ray.io/cluster={cluster},ray.io/node-type={role}")

    def drivers(self, program):
        """The program in both heads."""
        return {name: self.driver(self.role(name, "head")[0], program) for name in CLUSTERS}

    def worker_at(self, cluster, address):
        [worker] = [pod for pod in self.role(cluster, "worker")
                    if pod["status"]["podIP"] == address]
        return worker

    def evict(self, workers):
        """Evicts a worker of each cluster; after how many seconds each was gone."""
        began = {}
        for name, worker in workers.items():
            self.assertTrue(evict(worker).ok)
            began[name] = time.monotonic()
        names = {worker["metadata"]["name"]: name for name, worker in workers.items()}
        seconds = {}

        def gone():
            left = {pod["metadata"]["name"] for pod in pods(self.namespace)}
            for pod, name in names.items():
                if pod not in left:
                    seconds.setdefault(name, round(time.monotonic() - began[name], 1))
            return len(seconds) == len(names)
        wait_until("the evicted workers gone", gone, GRACE_PERIOD + 60)
        return seconds
