"""KubeRay's own samples through the oldest, a middle and the newest operator, without and with
rayfix: the same pods come out, changed exactly as `rayfix mutate` says."""

import difflib
import json
import os
import re
import subprocess
import time
import unittest
from collections import defaultdict

from bed import tools
from bed.control import change_operator
from bed.paths import NODE
from kube import applied, kubectl, wait_until
from proof import record
from server import needs_the_bed, server

KINDS = ("RayCluster", "RayJob", "RayService")
RESOURCES = "rayclusters,rayjobs,rayservices"
OF_RAY = "ray.io/node-type in (head, worker)"
RULES = ("cpu-limit", "memory-limit", "gpu-limit", "max-workers", "max-gpus", "min-requests",
         "required-labels", "gpu-toleration")
# The samples for TPUs and large models are beyond the default limits, which is not the point here.
ADVISORY = {"apiVersion": "rayfix.io/v1alpha1", "kind": "Configuration",
            "validators": {rule: {"action": "warn"} for rule in RULES}}
# What an operator says when it was overtaken or ended; it tries again, and when is chance.
CHANCE = ("object has been modified", "context canceled", "already exists", "not found",
          "Operation cannot be fulfilled")


def objects_of(text):
    """What kubectl -o json printed, one object after the other."""
    decoder, found = json.JSONDecoder(), []
    while text.strip():
        thing, end = decoder.raw_decode(text.lstrip())
        found += thing["items"] if thing["kind"] == "List" else [thing]
        text = text.lstrip()[end:]
    return found


def number_of_pods(thing):
    """How many pods the operator makes at once; 0 if it makes none."""
    spec = thing["spec"]
    spec = {"RayJob": spec.get("rayClusterSpec"), "RayService": spec.get("rayClusterConfig"),
            "RayCluster": spec}[thing["kind"]]
    if not spec or thing["spec"].get("suspend"):
        return 0
    return 1 + sum(max(group.get("replicas") or 0, group.get("minReplicas") or 0)
                   * max(group.get("numOfHosts") or 1, 1)
                   for group in spec.get("workerGroupSpecs") or [])


def samples(version):
    """{short name: (title, object, number of pods)}: they are in one namespace all at once."""
    folder = tools.kuberay_config(version) / "samples"
    read = kubectl("create", "--dry-run=client", "-o", "json", "-f", folder, check=False).out
    found = {}
    for thing in objects_of(read):
        if thing["kind"] in KINDS and number_of_pods(thing):
            short = f"s{len(found)}"
            old = thing["metadata"].get("name") or thing["metadata"].pop("generateName")
            thing["metadata"].update(name=short)
            found[short] = (f"{thing['kind']} {old}", thing, number_of_pods(thing))
    return found


def as_list(objects):
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def as_new(pod):
    """A pod as it could be created again."""
    pod = json.loads(json.dumps(pod))
    pod.pop("status", None)
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"):
        pod["metadata"].pop(field, None)
    pod["spec"].pop("nodeName", None)
    return pod


def in_order(value):
    """KubeRay 1.0 puts the flags of "ray start" in another order each time."""
    if isinstance(value, dict):
        return {key: in_order(each) for key, each in value.items()}
    if isinstance(value, list):
        return [in_order(each) for each in value]
    if isinstance(value, str) and "ray start" in value:
        return "  ".join(sorted(value.strip().split("  ")))
    return value


def comparable(pod):
    """All of a pod but what every pod has of its own: names that are part chance, uids."""
    pod = as_new(pod)
    metadata = pod["metadata"]
    cluster = metadata["labels"]["ray.io/cluster"]
    for field in ("name", "generateName", "ownerReferences"):
        metadata.pop(field, None)
    # Of a RayJob's cluster this has the random name of the submission in it.
    metadata.get("annotations", {}).pop("ray.io/upgrade-strategy-recreate-hash", None)
    text = json.dumps(in_order(pod), sort_keys=True, indent=1).replace(cluster, "CLUSTER")
    for chance, word in (
            (r"\bs\d+-[a-z0-9]{5}\b", "SUBMISSION"),
            (r'("ray.io/worker-group-replica-name": ".*)-[a-z0-9]{5}"', r'\1"'),
            # The key of a cluster's state in an external Redis is its uid.
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
            (r"kube-api-access-\w+", "kube-api-access")):
        text = re.sub(chance, word, text)
    return text


def by_sample(pods):
    found = defaultdict(list)
    for pod in pods:
        found[pod["metadata"]["labels"]["ray.io/cluster"].partition("-")[0]].append(pod)
    return found


def errors_of(log):
    """What the operator's log calls an error, without what differs from run to run."""
    found = set()
    for line in log.splitlines():
        if '"level":"error"' in line:
            entry = json.loads(line)
            text = f"{entry.get('msg')}: {entry.get('error')}"
        elif "\tERROR\t" in line:
            text = line.partition("\tERROR\t")[2]
        else:
            continue
        if not any(each in text for each in CHANCE):
            text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", text)
            found.add(re.sub(r"\bs\d+[a-z0-9-]*|\d+", "N", text))
    return found


@needs_the_bed
class Samples(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(server().on)
        cls.addClassCleanup(server().stop)
        server().stop()
        server().start(ADVISORY)
        # The pods need not run: they stay Pending, and nobody waits for an image.
        kubectl("cordon", NODE)
        cls.addClassCleanup(kubectl, "uncordon", NODE)
        cls.namespace = f"samples-{os.getpid()}"
        kubectl("create", "namespace", cls.namespace)
        cls.addClassCleanup(kubectl, "delete", "namespace", cls.namespace, "--wait=false")
        wait_until("its service account", lambda: kubectl(
            "get", "serviceaccount", "default", "-n", cls.namespace, check=False).ok)
        cls.addClassCleanup(change_operator, server().run, tools.KUBERAY)

    @classmethod
    def pods(cls):
        return kubectl("get", "pods", "-n", cls.namespace, "-l", OF_RAY, "-o", "json").json()[
            "items"]

    @classmethod
    def clear(cls):
        """Without the operator, so without what it waits for: a Redis that is not there."""
        change_operator(server().run, None)
        here = ("-n", cls.namespace)
        left = kubectl("get", RESOURCES, *here, "-o", "json").json()["items"]
        for thing in left:
            thing["metadata"].pop("finalizers", None)
        if left:
            kubectl("replace", "-f", "-", stdin=as_list(left))
            kubectl("delete", RESOURCES, *here, "--all", "--wait=false")
        kubectl("delete", "pods,jobs,services", *here, "--all", "--force", "--grace-period=0",
                "--wait=false")
        wait_until("an empty namespace", lambda: not kubectl(
            "get", f"{RESOURCES},pods,services", *here, "-o", "name").out, 60)

    def made_by(self, version, side, todo):
        """{sample: its pods} by an operator of that version, and the errors that it logs."""
        name = f"kuberay-operator-{version}-{side}"
        log = server().run.logs / f"{name}.log"
        log.unlink(missing_ok=True)
        change_operator(server().run, version, name)
        objects = [{**thing, "metadata": {**thing["metadata"], "namespace": self.namespace}}
                   for _, thing, _ in todo.values()]
        # Some lack what the API server fills in: kubectl would refuse all of them.
        kubectl("create", "-f", "-", "--validate=false", stdin=as_list(objects), check=False)
        deadline = time.monotonic() + 120
        last, progress = -1, time.monotonic()
        while True:
            pods = self.pods()
            found = by_sample(pods)
            if all(len(found[short]) >= count for short, (_, _, count) in todo.items()):
                break
            if len(pods) != last:
                last, progress = len(pods), time.monotonic()
            patience = 15 if pods else 60
            if time.monotonic() > deadline or time.monotonic() - progress > patience:
                break
            time.sleep(0.5)
        return found, errors_of(log.read_text(errors="replace"))

    def as_explained(self, pods):
        """What `rayfix mutate` makes of pods, with the defaults of the API server."""
        configuration = server().run.data / "samples-configuration.json"
        configuration.write_text(json.dumps(ADVISORY))
        pods = [as_new(pod) for pod in pods]
        accounts = [pod["spec"]["serviceAccountName"] for pod in pods]
        for number, pod in enumerate(pods):  # their names may be taken, their accounts gone
            pod["metadata"]["name"] = f"explained-{number}"
            pod["spec"].update(serviceAccountName="default", serviceAccount="default")
        # That file may be built anew while the server runs.
        program = f"/proc/{server().child.pid}/exe"
        done = subprocess.run([program, "mutate", "--config", configuration, "-o", "json",
                               "-f", "-"], input=json.dumps(as_list(pods)), text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        made = objects_of(kubectl("create", "--dry-run=server", "-o", "json", "-f", "-",
                                  stdin=done.stdout).out)
        for pod, account in zip(made, accounts, strict=True):
            pod["spec"].update(serviceAccountName=account, serviceAccount=account)
        return made

    def assertSame(self, title, found, wanted):
        found, wanted = sorted(map(comparable, found)), sorted(map(comparable, wanted))
        if found != wanted:
            pairs = [pair for pair in zip(wanted, found) if pair[0] != pair[1]]
            diff = difflib.unified_diff(*(text.splitlines() for text in pairs[0]),
                                        "as explained", "as stored", lineterm="") if pairs else []
            self.fail(f"{title}: {len(found)} pods for {len(wanted)}\n" + "\n".join(diff))

    def check(self, version):
        began = time.monotonic()
        self.addCleanup(self.clear)
        server().off()
        change_operator(server().run, version, f"kuberay-operator-{version}-without")
        todo = samples(version)
        without, errors_without = self.made_by(version, "without", todo)
        self.clear()
        whole = {short: each for short, each in todo.items() if len(without[short]) >= each[2]}
        self.assertGreater(len(whole), 10)
        server().register()
        found, errors = self.made_by(version, "with", whole)
        explained = by_sample(self.as_explained(
            [pod for short in whole for pod in without[short]]))
        for short, (title, _, _) in whole.items():
            with self.subTest(title):
                self.assertSame(title, found[short], explained[short])
                self.assertTrue(all(applied(pod) for pod in found[short]))
        self.assertEqual(errors - errors_without, set())
        record("samples", **{f"KubeRay {version}": {
            "same pods": len(whole), "of": len(todo),
            "pods": sum(map(len, found.values())),
            "not even without rayfix": [title for short, (title, _, _) in todo.items()
                                        if short not in whole],
            "seconds": round(time.monotonic() - began)}})

    def test_the_oldest_operator(self):
        self.check(tools.KUBERAY_VERSIONS[0])

    def test_the_operator_of_the_bed(self):
        self.check(tools.KUBERAY)

    def test_the_newest_operator(self):
        self.check(tools.KUBERAY_VERSIONS[-1])


if __name__ == "__main__":
    unittest.main()
