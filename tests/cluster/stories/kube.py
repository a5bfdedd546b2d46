"""kubectl as the client of the stories, and the objects that they tell of."""

import copy
import json
import os
import re
import subprocess
import time
import unittest
from pathlib import Path

from bed.components import FAKE_NODE_ANNOTATION, fake_node

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
FAKE = {"key": FAKE_NODE_ANNOTATION, "operator": "Exists", "effect": "NoSchedule"}
FAKE_TAINT = {"key": FAKE_NODE_ANNOTATION, "value": "fake", "effect": "NoSchedule"}


class Result:
    """What a kubectl call gave."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def ok(self):
        return self.code == 0

    def json(self):
        return json.loads(self.out)


def kubectl(*arguments, stdin=None, check=True):
    """Runs kubectl; with check=False a failure is an answer, too."""
    if stdin is not None and not isinstance(stdin, str):
        stdin = json.dumps(stdin)
    done = subprocess.run(["kubectl", *map(str, arguments)], input=stdin, text=True,
                          capture_output=True, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return Result(done)


def create(thing, *more, check=True):
    return kubectl("create", "-f", "-", "-o", "json", *more, stdin=thing, check=check)


def dry_run(thing, check=True):
    """What the API server would store."""
    return create(thing, "--dry-run=server", check=check)


def get(kind, name, namespace):
    return kubectl("get", kind, name, "-n", namespace, "-o", "json").json()


def get_all(kind, namespace, selector=""):
    return kubectl("get", kind, "-n", namespace, "-l", selector, "-o", "json").json()["items"]


def pods(namespace, selector=""):
    return get_all("pods", namespace, selector)


def patch(kind, name, namespace, content, check=True, kind_of_patch="merge", *more):
    return kubectl("patch", kind, name, "-n", namespace, f"--type={kind_of_patch}", "-p",
                   json.dumps(content), *more, check=check)


def wait_until(what, condition, seconds=60):
    """Waits until condition() is true and returns its value. What takes long is looked at less often:
    each kubectl takes a tenth of a second of a processor from what is waited for."""
    began = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"after {seconds} s not yet: {what}")
        time.sleep(min(max(0.25, waited / 20), 1))


def add_node(name, **more):
    kubectl("create", "-f", "-", stdin=fake_node(name, **more))
    wait_until(f"node {name} ready", lambda: '"True"' in kubectl(
        "get", "node", name, "-o", "json").out)


def example(name, namespace):
    """A pod of examples/, as if its RayCluster did not exist: nobody would keep it otherwise."""
    pod = json.loads((EXAMPLES / name).read_text())
    pod["metadata"]["namespace"] = namespace
    pod["metadata"].pop("ownerReferences", None)
    # What the API server and its plugins fill in themselves, and refuse if it does not fit.
    for field in ("priority", "preemptionPolicy"):
        pod["spec"].pop(field, None)
    pod["spec"]["volumes"] = [volume for volume in pod["spec"].get("volumes", [])
                              if not volume["name"].startswith("kube-api-access")]
    for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
        container["volumeMounts"] = [mount for mount in container.get("volumeMounts", [])
                                     if not mount["name"].startswith("kube-api-access")]
    return pod


def manifest(path):
    """The objects of a manifest, as kubectl reads them."""
    return manifest_text(Path(path).read_text())


def manifest_text(yaml):
    text = kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", stdin=yaml).out
    decoder, found = json.JSONDecoder(), []
    while text.strip():
        thing, end = decoder.raw_decode(text.lstrip())
        found += thing["items"] if thing["kind"] == "List" else [thing]
        text = text.lstrip()[end:]
    return found


def on_fake_nodes(spec):
    """Sends a pod to the nodes that only kwok knows."""
    spec["nodeSelector"] = {"type": "fake"}
    spec.setdefault("tolerations", []).append(copy.deepcopy(FAKE))
    return spec


def ray_template(name, gpus=0, gpu="nvidia.com/gpu", cpu="1", memory="2Gi"):
    resources = {"cpu": cpu, "memory": memory}
    if gpus:
        resources[gpu] = str(gpus)
    return {
        "metadata": {"labels": {"app": "stories"}},
        "spec": on_fake_nodes({"containers": [{
            "name": name, "image": "rayproject/ray:2.46.0",
            "resources": {"requests": dict(resources), "limits": dict(resources)}}]}),
    }


def bare_worker(name, namespace, **more):
    """A worker that no RayCluster owns."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace,
                     "labels": {"ray.io/node-type": "worker"}},
        "spec": ray_template("ray-worker", **more)["spec"],
    }


def group(name, replicas=1, maximum=None, gpus=0, minimum=0, **more):
    return {
        "groupName": name, "replicas": replicas, "minReplicas": minimum,
        "maxReplicas": replicas if maximum is None else maximum, "rayStartParams": {},
        "template": ray_template("ray-worker", gpus=gpus, **more),
    }


def ray_cluster(name, namespace, *groups, **more):
    return {
        "apiVersion": "ray.io/v1", "kind": "RayCluster",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "stories"}},
        "spec": {
            "rayVersion": "2.46.0",
            "headGroupSpec": {"rayStartParams": {"num-cpus": "0"},
                              "template": ray_template("ray-head")},
            "workerGroupSpecs": list(groups),
            **more,
        },
    }


def ray_job(name, namespace, *groups, **more):
    """KubeRay suspends only jobs that take their cluster away at their end."""
    return {
        "apiVersion": "ray.io/v1", "kind": "RayJob",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "stories"}},
        "spec": {"entrypoint": "true", "shutdownAfterJobFinishes": True,
                 "rayClusterSpec": ray_cluster(name, namespace, *groups)["spec"], **more},
    }


def applied(pod):
    """The fixes that a pod got."""
    names = pod["metadata"].get("annotations", {}).get("rayfix.io/applied", "")
    return [name for name in names.split(",") if name]


class Story(unittest.TestCase):
    """A test with a namespace of its own."""

    def setUp(self):
        name = re.sub(r"[^a-z0-9]+", "-", self.id().split(".")[-1].lower())[:40].strip("-")
        self.namespace = f"{name}-{os.getpid()}"
        kubectl("create", "namespace", self.namespace)
        wait_until("its service account", lambda: kubectl(
            "get", "serviceaccount", "default", "-n", self.namespace, check=False).ok)

    def tearDown(self):
        kubectl("delete", "rayclusters,rayjobs,rayservices", "--all", "-n", self.namespace,
                "--ignore-not-found", check=False)
        # Here and not by the namespace's end, as a story may take its fake nodes away next.
        kubectl("delete", "pods", "--all", "-n", self.namespace, "--grace-period=1",
                "--timeout=60s", check=False)
        kubectl("delete", "namespace", self.namespace, "--wait=false", check=False)

    def assertDenied(self, result, *words):
        self.assertFalse(result.ok, "was admitted")
        for word in words:
            self.assertIn(word, result.err)

    def make(self, thing):
        return create(thing).json()
