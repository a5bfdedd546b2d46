"""The fixes on worker pods, as kubectl and as KubeRay create them."""

import unittest

from kube import (Story, applied, create, dry_run, example, group, kubectl, on_fake_nodes, pods,
                  ray_cluster, wait_until)
from proof import record
from server import needs_the_bed, server

ALWAYS = ["dns-config", "prestop-drain", "wait-gcs"]
GPU = ["dns-config", "gpu-tolerations", "prestop-drain", "tmp-ray-memory", "wait-gcs"]


def init_container(pod, name):
    return [each for each in pod["spec"].get("initContainers", []) if each["name"] == name]


class DryRun(Story):

    def test_kubectl_apply_shows_the_fixes_of_a_gpu_worker(self):
        pod = example("gpu-worker-helm-log-volume.json", self.namespace)
        del pod["metadata"]["generateName"]
        pod["metadata"]["name"] = "worker"
        shown = kubectl("apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=pod).json()

        self.assertEqual(applied(shown), GPU)
        [wait] = init_container(shown, "wait-gcs-ready")
        self.assertNotIn("ray health-check", wait["args"][0])
        self.assertIn("/dev/tcp", wait["args"][0])
        self.assertIn({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                      shown["spec"]["tolerations"])
        self.assertEqual(shown["spec"]["terminationGracePeriodSeconds"], 60)
        [volume] = [each for each in shown["spec"]["volumes"] if each["name"] == "log-volume"]
        self.assertEqual(volume["emptyDir"]["medium"], "Memory")
        self.assertIn({"name": "ndots", "value": "2"}, shown["spec"]["dnsConfig"]["options"])
        self.assertFalse(kubectl("get", "pod", "worker", "-n", self.namespace, check=False).ok,
                         "a dry run stores nothing")

    def test_a_pod_that_is_not_ray_is_left_alone(self):
        pod = example("web-pod.json", self.namespace)
        shown = dry_run(pod).json()
        self.assertEqual(applied(shown), [])

    def test_our_own_output_is_admitted_unchanged(self):
        shown = dry_run(example("gpu-worker-helm-log-volume.json", self.namespace)).json()
        for field in ("uid", "creationTimestamp", "name", "managedFields", "resourceVersion"):
            shown["metadata"].pop(field, None)
        shown.pop("status")
        again = dry_run(shown).json()
        self.assertEqual(again["spec"], shown["spec"])


class OptOut(Story):
    """Annotations of a pod: of one fix, and of all."""

    def shown(self, **annotations):
        pod = example("gpu-worker-helm-log-volume.json", self.namespace)
        pod["spec"]["automountServiceAccountToken"] = False  # its volume has a random name
        pod["metadata"].setdefault("annotations", {}).update(
            {f"rayfix.io/{name}": value for name, value in annotations.items()})
        return dry_run(pod).json()

    def test_a_pod_opts_out_of_each_fix_alone(self):
        for name in GPU:
            with self.subTest(name):
                self.assertEqual(applied(self.shown(**{name: "false"})),
                                 [other for other in GPU if other != name])

    @needs_the_bed
    def test_a_pod_that_opts_out_of_all_comes_out_as_without_rayfix(self):
        shown = self.shown(skip="true")
        self.assertEqual(applied(shown), [])
        server().off()
        self.addCleanup(server().on)
        self.assertEqual(shown["spec"], self.shown(skip="true")["spec"])
        record("annotations", without="as KubeRay made it", **{"with": (
            "rayfix.io/skip: the same; rayfix.io/<fix>: \"false\": all fixes but this one")})


class DuplicateWait(Story):
    """A wait-gcs-ready of the user's own beside KubeRay's: finding 4."""

    @needs_the_bed
    def test_without_rayfix_the_api_server_refuses_the_pod(self):
        server().off()
        self.addCleanup(server().on)
        refused = dry_run(example("worker-duplicate-wait.json", self.namespace), check=False)
        self.assertDenied(refused, "Duplicate value", "wait-gcs-ready")
        record("duplicate wait-gcs-ready", without=refused.err.strip().splitlines()[0][:200])

    def test_with_rayfix_the_users_container_stays(self):
        pod = example("worker-duplicate-wait.json", self.namespace)
        on_fake_nodes(pod["spec"])
        pod = create(pod).json()
        [wait] = init_container(pod, "wait-gcs-ready")
        self.assertNotIn("ray health-check --address", " ".join(wait.get("args", [])))
        name = pod["metadata"]["name"]
        wait_until("the worker running", lambda: kubectl(
            "get", "pod", name, "-n", self.namespace, "-o", "jsonpath={.status.phase}"
        ).out == "Running")
        record("duplicate wait-gcs-ready", **{"with": "pod created and Running"})

    @needs_the_bed
    def test_a_raycluster_that_overrides_the_wait_gets_its_workers(self):
        workers = group("cpu", 1)
        workers["template"]["spec"]["initContainers"] = [{
            "name": "wait-gcs-ready", "image": "busybox", "command": ["true"]}]
        self.make(ray_cluster("mine", self.namespace, workers))
        [worker] = wait_until("a worker", lambda: pods(self.namespace, "ray.io/node-type=worker"))
        [wait] = init_container(worker, "wait-gcs-ready")
        self.assertEqual(wait["command"], ["true"])


class MadeByKubeRay(Story):

    def test_workers_and_head_come_out_with_the_fixes(self):
        self.make(ray_cluster("fixed", self.namespace, group("cpu", 3), group("gpu", 2, gpus=1)))
        workers = wait_until("five workers", lambda: (
            lambda found: found if len(found) == 5 else None)(
                pods(self.namespace, "ray.io/node-type=worker")))
        for worker in workers:
            wanted = GPU if worker["metadata"]["labels"]["ray.io/group"] == "gpu" else ALWAYS
            # The Kubernetes plugin for extended resources may not be on: then the fix is ours.
            self.assertEqual(applied(worker), wanted)
            [wait] = init_container(worker, "wait-gcs-ready")
            self.assertIn(f"h='fixed-head-svc.{self.namespace}.svc.cluster.local'", wait["args"][0])
        [head] = pods(self.namespace, "ray.io/node-type=head")
        self.assertEqual(applied(head), ["dns-config", "prestop-drain"])

    def test_kuberay_does_not_recreate_what_was_changed(self):
        self.make(ray_cluster("calm", self.namespace, group("cpu", 2)))

        def names():
            return sorted(pod["metadata"]["uid"] for pod in pods(self.namespace))
        before = wait_until("three pods", lambda: names() if len(names()) == 3 else None)
        kubectl("annotate", "raycluster", "calm", "-n", self.namespace, "stories/touched=yes")
        for _ in range(8):
            self.assertEqual(names(), before)
            kubectl("get", "raycluster", "calm", "-n", self.namespace)


if __name__ == "__main__":
    unittest.main()
