"""All of the cluster's machines lose power at once, with rayfix installed: nothing waits for what
waits for it."""

import time

from bed import control
from bed.paths import NODE
from installed import INSTALL, install, is_mutated, replicas, wait_replicas
from kube import create, dry_run, group, kubectl, pods, ray_cluster, wait_until
from proof import record
from replicas import Installed
from server import needs_the_bed, server

# The node itself: what runs its pods.
OF_THE_NODE = ("containerd", "kubelet")


def restarts():
    return {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"]
            for pod in replicas()}


@needs_the_bed
class PowerLost(Installed):

    def lose_power(self):
        names = control.lose_power(server().run)
        self.addCleanup(control.start, server().run, *names)
        return names

    def test_everything_comes_back(self):
        install()
        create(ray_cluster("before", self.namespace, group("cpu", 1, 5)))
        wait_until("its pods", lambda: len(pods(self.namespace)) == 2)
        before = restarts()
        names = self.lose_power()
        began = time.monotonic()
        control.start(server().run, *names)
        started = round(time.monotonic() - began, 1)
        wait_until("both replicas have started again", lambda: restarts() == {
            name: count + 1 for name, count in before.items()}, 120)
        wait_replicas(120)
        wait_until("a Ray pod mutated", is_mutated, 60)
        mutated = round(time.monotonic() - began, 1)
        create(ray_cluster("after", self.namespace, group("cpu", 1, 5)))
        wait_until("its pods", lambda: len(pods(self.namespace, "ray.io/cluster=after")) == 2)
        kubectl("delete", "rayclusters", "--all", "-n", self.namespace)
        kubectl("delete", "pods", "--all", "-n", self.namespace, "--grace-period=0", "--force")
        record("node restart", **{"everything": {
            "components started, s": started, "a Ray pod mutated, s": mutated,
            "a RayCluster has its pods, s": round(time.monotonic() - began, 1)}})

    def test_installed_before_any_node(self):
        """As when a cluster is made anew from its manifests, these among them."""
        names = self.lose_power()
        control.start(server().run, *[name for name in names if name not in OF_THE_NODE])
        kubectl("delete", "node", NODE)
        kubectl("apply", "-f", INSTALL)
        found = wait_until("both replicas", lambda: len(replicas()) == 2 and replicas())
        self.assertEqual({pod["status"]["phase"] for pod in found}, {"Pending"})
        refused = dry_run(ray_cluster("soon", self.namespace, group("cpu", 1, 5)), check=False)
        self.assertDenied(refused, "ray-validate-create.rayfix.io")
        kubectl("create", "configmap", "others-go-on", "-n", self.namespace)
        began = time.monotonic()
        control.start(server().run, *[name for name in names if name in OF_THE_NODE])
        wait_replicas(120)
        wait_until("a Ray pod mutated", is_mutated, 60)
        dry_run(ray_cluster("soon", self.namespace, group("cpu", 1, 5)))
        record("node restart", **{"installed before any node": {
            "mutated after the node's start, s": round(time.monotonic() - began, 1)}})
