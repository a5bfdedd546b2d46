"""kubectl apply and diff, client-side and server-side, of what rayfix has admitted or changed; and
objects that are written in an older version of ray.io."""

import unittest

from kube import (EXAMPLES, Story, applied, create, dry_run, example, get, group, kubectl, manifest,
                  pods, ray_cluster, wait_until)
from proof import record

BOTH_WAYS = ([], ["--server-side"])


class Apply(Story):

    def apply(self, thing, *way, check=True):
        return kubectl("apply", *way, "-f", "-", stdin=thing, check=check)

    def assertNoDifference(self, thing, *arguments):
        """Not at once: diff asks twice, and a controller may write in between."""
        def same():
            shown = kubectl("diff", *arguments, stdin=thing, check=False)
            return shown.code == 0 and not shown.out
        wait_until("kubectl diff shows nothing", same)

    def gpu_worker(self, name):
        """A pod without an operator: nothing in its manifest is what rayfix replaces."""
        *_, pod = manifest(EXAMPLES / "static-ray.yaml")
        pod["metadata"].update(name=name, namespace=self.namespace)
        pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = 1
        return pod

    def test_a_cluster_is_applied_twice_and_does_not_differ(self):
        for way in BOTH_WAYS:
            with self.subTest(way):
                cluster = ray_cluster(f"applied{len(way)}", self.namespace, group("cpu", 1, 2))
                before = kubectl("diff", *way, "-f", "-", stdin=cluster, check=False)
                self.assertEqual(before.code, 1, "it would be made: that is a difference")
                self.apply(cluster, *way)
                self.assertNoDifference(cluster, "-f", "-", *way)
                self.apply(cluster, *way)
                cluster["spec"]["workerGroupSpecs"][0]["maxReplicas"] = 60
                self.assertDenied(self.apply(cluster, *way, check=False), "(V04)")
                self.assertDenied(kubectl("diff", *way, "-f", "-", stdin=cluster, check=False),
                                  "(V04)")

    def test_a_pod_that_got_the_fixes_is_applied_twice_and_does_not_differ(self):
        for way in BOTH_WAYS:
            with self.subTest(way):
                pod = self.gpu_worker(f"worker{len(way)}")
                self.apply(pod, *way)
                made = get("pod", pod["metadata"]["name"], self.namespace)
                self.assertEqual(applied(made), ["dns-config", "gpu-tolerations", "prestop-drain",
                                                 "tmp-ray-memory", "wait-gcs"])
                again = self.apply(pod, *way)
                self.assertNotIn("conflict", again.err)
                self.assertNoDifference(pod, "-f", "-", *way)

    def test_a_manifest_with_kuberays_own_wait_is_applied_once(self):
        """Who writes down what rayfix replaces cannot apply it again: Kubernetes lets nobody change
        a pod's init containers back. So it is with every webhook that replaces a value."""
        pod = example("cpu-worker.json", self.namespace)
        del pod["metadata"]["generateName"]
        pod["metadata"]["name"] = "copied"
        self.apply(pod)
        again = self.apply(pod, check=False)
        self.assertDenied(again, "pod updates may not change fields other than")
        record("apply", copied_pod="kubectl apply of a copy of KubeRay's worker pod works once; "
                                   "the second is refused by Kubernetes, as init containers of "
                                   "a pod cannot change")

    def test_ray_without_an_operator_is_applied_twice_and_does_not_differ(self):
        file = EXAMPLES / "static-ray.yaml"
        for _ in range(2):
            kubectl("apply", "-n", self.namespace, "-f", file)
        self.assertNoDifference(None, "-n", self.namespace, "-f", file)


class OlderVersion(Story):
    """ray.io/v1alpha1: the API server converts it for the webhooks (matchPolicy: Equivalent)."""

    def setUp(self):
        super().setUp()
        served = kubectl("get", "crd", "rayclusters.ray.io", "-o",
                         "jsonpath={.spec.versions[?(@.served==true)].name}").out.split()
        if "v1alpha1" not in served:
            self.skipTest(f"the CRD serves {served}")

    def cluster(self, name, *groups):
        cluster = ray_cluster(name, self.namespace, *groups)
        cluster["apiVersion"] = "ray.io/v1alpha1"
        return cluster

    def test_what_breaks_a_rule_is_denied(self):
        large = self.cluster("large", group("cpu", 1, 51))
        self.assertDenied(dry_run(large, check=False), "(V04)", "found: 51")
        self.assertDenied(create(large, check=False), "(V04)")

    def test_what_keeps_them_gets_its_pods_and_may_change(self):
        create(self.cluster("fine", group("cpu", 1, 5)))
        [worker] = wait_until("a worker", lambda: pods(self.namespace, "ray.io/node-type=worker"))
        self.assertIn("wait-gcs", applied(worker))

        def change(maximum):
            return kubectl("patch", "rayclusters.v1alpha1.ray.io", "fine", "-n", self.namespace,
                           "--type=json", "-p", f'[{{"op": "replace", "value": {maximum}, '
                           '"path": "/spec/workerGroupSpecs/0/maxReplicas"}]', check=False)
        self.assertTrue(change(6).ok)
        self.assertDenied(change(60), "(V04)")


if __name__ == "__main__":
    unittest.main()
