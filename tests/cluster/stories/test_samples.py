"""KubeRay's own samples through its operator, without and with rayfix: the same pods come out, and
they differ only where rayfix changes them."""

import json
import os
import re
from pathlib import Path

from bed import tools
from kube import Story, applied, kubectl, patch, pods, wait_until
from proof import record
from server import needs_the_bed, server

KINDS = ("RayCluster", "RayJob", "RayService")
RULES = ("cpu-limit", "memory-limit", "gpu-limit", "max-workers", "max-gpus", "min-requests",
         "required-labels", "gpu-toleration")
# The samples for TPUs and large models are beyond the default limits, which is not the point here.
ADVISORY = {"apiVersion": "rayfix.io/v1alpha1", "kind": "Configuration",
            "validators": {rule: {"action": "warn"} for rule in RULES}}


def samples():
    """{file: objects} of the pinned KubeRay module."""
    source = tools.module_source("kuberay", "github.com/ray-project/kuberay/ray-operator")
    found = {}
    for path in sorted(Path(source, "config", "samples").glob("ray-*.yaml")):
        read = kubectl("create", "--dry-run=client", "-o", "json", "-f", path, check=False)
        text, objects = read.out, []
        while text.strip():
            thing, end = json.JSONDecoder().raw_decode(text.lstrip())
            objects += thing["items"] if thing["kind"] == "List" else [thing]
            text = text.lstrip()[end:]
        if any(thing["kind"] in KINDS for thing in objects):
            found[path.name] = objects
    return found


def number_of_pods(thing):
    """How many pods the operator makes at once; None if it makes none."""
    spec = thing["spec"]
    spec = {"RayJob": spec.get("rayClusterSpec"), "RayService": spec.get("rayClusterConfig"),
            "RayCluster": spec}[thing["kind"]]
    if not spec or thing["spec"].get("suspend"):
        return None
    return 1 + sum(max(group.get("replicas", 0), group.get("minReplicas", 0))
                   * max(group.get("numOfHosts", 1), 1)
                   for group in spec.get("workerGroupSpecs", []))


def comparable(pod, namespace):
    """A pod without what every pod has of its own, and without what rayfix changes."""
    spec = json.loads(json.dumps(pod["spec"]))
    for field in ("nodeName", "terminationGracePeriodSeconds", "dnsConfig"):
        spec.pop(field, None)
    spec["tolerations"] = [each for each in spec.get("tolerations", [])
                           if each.get("key") not in ("nvidia.com/gpu", "google.com/tpu")]
    for volume in spec.get("volumes", []):
        if "emptyDir" in volume and volume["name"] != "shared-mem":
            volume["emptyDir"] = {}
    spec["volumes"] = [each for each in spec.get("volumes", [])
                       if each["name"] != "ray-tmp-memory"]
    for container in spec["containers"] + spec.get("initContainers", []):
        container.pop("lifecycle", None)
        container["volumeMounts"] = [each for each in container.get("volumeMounts", [])
                                     if each["name"] != "ray-tmp-memory"]
        if container["name"] == "wait-gcs-ready":
            container.pop("args", None)
    text = json.dumps(spec, sort_keys=True).replace(namespace, "NAMESPACE")
    # The key of a cluster's state in an external Redis is its uid.
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", text)
    # Random parts of names: of service account volumes, and of clusters that jobs and services own.
    text = re.sub(r"kube-api-access-\w+", "kube-api-access", text)
    text = re.sub(r"-[a-z0-9]{5}\b(?=-head-svc|-headless|\")", "-XXXXX", text)
    return re.sub(r"-[a-z0-9]{5}(?=-XXXXX)", "-XXXXX", text)  # of a job with a generateName


@needs_the_bed
class Samples(Story):

    def setUp(self):
        super().setUp()
        server().stop()
        server().start(ADVISORY)
        self.addCleanup(server().start)
        self.addCleanup(server().stop)
        self.addCleanup(server().on)

    def emptied(self):
        """A cluster with fault tolerance waits for a job that cleans its Redis: there is none."""
        left = kubectl("get", "rayclusters", "-n", self.namespace, "-o", "name").out.split()
        for name in left:
            patch("raycluster", name.partition("/")[2], self.namespace,
                  {"metadata": {"finalizers": None}}, check=False)
        kubectl("delete", "jobs,pods", "--all", "-n", self.namespace, "--force",
                "--grace-period=0", check=False)
        return not left and not pods(self.namespace)

    def pods_of(self, thing, count):
        """Creates it, and returns its Ray pods in a form that can be compared."""
        thing = json.loads(json.dumps(thing))
        thing["metadata"]["namespace"] = self.namespace
        made = kubectl("create", "-f", "-", stdin=thing, check=False)
        if not made.ok:
            return made.err.strip()[:300], []
        try:
            found = wait_until(f"{count} pods of a {thing['kind']}", lambda: (
                lambda seen: seen if len(seen) >= count else None)(
                    pods(self.namespace, "ray.io/node-type in (head, worker)")), 20)
        except AssertionError as error:
            return str(error), []
        finally:
            kubectl("delete", thing["kind"].lower(), "--all", "-n", self.namespace, "--wait=false")
            wait_until("an empty namespace", self.emptied, 60)
        return sorted(comparable(pod, self.namespace) for pod in found), found

    def test_the_same_pods_come_out(self):
        wanted = os.environ.get("SAMPLES", "")
        todo = [((file, number), thing) for file, objects in samples().items()
                for number, thing in enumerate(objects)
                if thing["kind"] in KINDS and number_of_pods(thing) and wanted in file]
        without = {}
        server().off()
        for place, thing in todo:
            without[place], _ = self.pods_of(thing, number_of_pods(thing))
        server().register()
        same, not_without = 0, []
        for place, thing in todo:
            before = without[place]
            if isinstance(before, str):
                not_without.append(f"{place[0]}: {before}")
                continue
            with self.subTest(place):
                after, found = self.pods_of(thing, number_of_pods(thing))
                self.assertEqual(after, before)
                self.assertTrue(all(applied(pod) for pod in found))
                same += 1
        record("samples", same_pods=same, of=len(todo), not_even_without_rayfix=not_without)
        self.assertGreater(same, 0)
