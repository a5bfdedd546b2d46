"""disruption-budget: a PDB that would block every node drain for ever."""

from kube import Story, create, group, kubectl, pods, ray_cluster, wait_until
from proof import record
from server import needs_the_bed, server


def budget(namespace, **spec):
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "workers", "namespace": namespace},
            "spec": {"selector": {"matchLabels": {"ray.io/node-type": "worker"}},
                     "unhealthyPodEvictionPolicy": "AlwaysAllow", **spec}}


def evict(pod):
    """Asks for an eviction; kubectl's word on it."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": name, "namespace": namespace}}
    return kubectl("create", "--raw", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction",
                   "-f", "-", stdin=eviction, check=False)


class Budgets(Story):

    def running_workers(self, count):
        self.make(ray_cluster("served", self.namespace, group("cpu", count)))

        def ready():
            found = [pod for pod in pods(self.namespace, "ray.io/node-type=worker")
                     if pod["status"]["phase"] == "Running"]
            return found if len(found) == count else None
        return wait_until(f"{count} running workers", ready)

    def status(self):
        return kubectl("get", "pdb", "workers", "-n", self.namespace, "-o", "json").json().get(
            "status", {})

    @needs_the_bed
    def test_without_rayfix_max_unavailable_blocks_every_eviction(self):
        server().off()
        self.addCleanup(server().on)
        workers = self.running_workers(3)
        create(budget(self.namespace, maxUnavailable=1))
        wait_until("the controller has given up", lambda: any(
            condition.get("reason") == "SyncFailed"
            for condition in self.status().get("conditions", [])))
        message = self.status()["conditions"][0]["message"]
        self.assertIn("does not implement the scale subresource", message)
        for worker in workers:
            refused = evict(worker)
            self.assertDenied(refused, "disruption budget")
        record("disruption-budget", without=f"3 of 3 evictions refused; {message[:160]}")

    def test_with_rayfix_it_is_refused_with_the_reason(self):
        for bad in ({"maxUnavailable": 1}, {"maxUnavailable": "50%"}, {"minAvailable": "50%"},
                    {"minAvailable": 51}):
            with self.subTest(bad):
                refused = create(budget(self.namespace, **bad), check=False)
                self.assertDenied(refused, "disruption-budget", "V14", next(iter(bad)))
        self.assertEqual(kubectl("get", "pdb", "-n", self.namespace, "-o", "name").out, "")

    def test_the_recommended_budget_admits_one_eviction_at_a_time(self):
        workers = self.running_workers(2)
        create(budget(self.namespace, minAvailable=1))
        wait_until("one disruption allowed",
                   lambda: self.status().get("disruptionsAllowed") == 1)
        # As in a drain: what replaces an evicted worker finds no room at once.
        self.addCleanup(kubectl, "uncordon", "-l", "type=fake")
        kubectl("cordon", "-l", "type=fake")
        first = evict(workers[0])
        self.assertTrue(first.ok, first.err)
        second = evict(workers[1])
        self.assertDenied(second, "disruption budget")
        record("disruption-budget", **{"with": "maxUnavailable refused at creation; "
                                               "minAvailable: 1 admits one eviction at a time"})
