"""Ray itself on the real node: images, cgroups, programs that run in a head."""

import os
import subprocess
import time
import unittest
from pathlib import Path

from bed import images, machine
from bed.paths import NODE, Run
from kube import get, kubectl, pods, ray_cluster, wait_until
from server import EXISTING

VERSION = os.environ.get("RAY_VERSION", "2.46.0")
IMAGE = f"rayproject/ray:{VERSION}"
needs_ray = unittest.skipIf(EXISTING or not images.ray_archive(VERSION).exists(),
                            f"needs the image: tests/cluster/cluster.py ray {VERSION}")


_imported = []


def real_node_has_ray():
    """Brings the image to the real node, once."""
    if not _imported:
        images.import_ray(Run(os.environ["RAYFIX_BED"]), VERSION)
        _imported.append(VERSION)


def to_real_node(template, cpu="500m", memory="2Gi", image=IMAGE):
    spec = template["spec"]
    spec["nodeSelector"] = {"kubernetes.io/hostname": NODE}
    spec.pop("tolerations", None)
    resources = {"cpu": cpu, "memory": memory}
    spec["containers"][0].update(
        image=image, imagePullPolicy="Never",
        resources={"requests": dict(resources), "limits": {**resources, "cpu": "2"}})
    return template


def real_cluster(name, namespace, *groups, **more):
    """A RayCluster whose pods really run."""
    real_node_has_ray()
    cluster = ray_cluster(name, namespace, *groups, **more)
    cluster["spec"]["rayVersion"] = VERSION
    to_real_node(cluster["spec"]["headGroupSpec"]["template"])
    for each in groups:
        to_real_node(each["template"])
    return cluster


def without_head(cluster):
    """No node takes the head, so the workers wait for a GCS that does not come."""
    spec = cluster["spec"]["headGroupSpec"]["template"]["spec"]
    spec["nodeSelector"] = {"stories": "nowhere"}
    return cluster


def container_id(pod, name):
    statuses = pod["status"].get("initContainerStatuses", []) + \
        pod["status"].get("containerStatuses", [])
    for status in statuses:
        if status["name"] == name and "running" in status["state"]:
            return status["containerID"].rpartition("/")[2]
    return None


def running_container(pod, name, seconds=60):
    """The id of a container of the pod once it runs."""
    where = (pod["metadata"]["name"], pod["metadata"]["namespace"])
    return wait_until(f"container {name} runs",
                      lambda: container_id(get("pod", *where), name), seconds)


def memory_peak(identity):
    """The most bytes that the container's cgroup has held."""
    root = machine.CGROUPS if machine.is_cgroup2() else machine.CGROUPS / "memory"
    file = "memory.peak" if machine.is_cgroup2() else "memory.max_usage_in_bytes"
    run = f"rayfix-{os.environ['RAYFIX_BED']}"
    [found] = list(Path(root, run).glob(f"**/{identity}"))
    return int((found / file).read_text())


def seconds_to_delete(pod):
    began = time.monotonic()
    kubectl("delete", "pod", pod["metadata"]["name"], "-n", pod["metadata"]["namespace"])
    return round(time.monotonic() - began, 1)


def one_pod(namespace, role):
    return wait_until(f"the {role}", lambda: pods(namespace, f"ray.io/node-type={role}"))[0]


def is_ready(pod):
    return any(condition["type"] == "Ready" and condition["status"] == "True"
               for condition in pod["status"].get("conditions", []))


def wait_ready(namespace, count, seconds=240):
    def ready():
        found = [pod for pod in pods(namespace) if is_ready(pod)]
        return found if len(found) == count else None
    return wait_until(f"{count} pods ready", ready, seconds)


def python_in(pod, program):
    """Starts a Python program in the pod's first container; its Popen."""
    return subprocess.Popen(
        ["kubectl", "exec", "-n", pod["metadata"]["namespace"], pod["metadata"]["name"], "--",
         "python3", "-u", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)
