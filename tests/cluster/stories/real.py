"""Ray itself on the real node: images, cgroups, programs that run in a head."""

import functools
import json
import os
import subprocess
import threading
import time
import unittest
from pathlib import Path

from bed import images, machine
from bed.components import node_images
from bed.paths import NODE, Run
from kube import get, kubectl, pods, ray_cluster, wait_until
from server import EXISTING

VERSION = os.environ.get("RAY_VERSION", "2.46.0")
IMAGE = f"rayproject/ray:{VERSION}"
# Seconds after which a waiting worker is gone: 1 on a quiet machine, 3 on a busy one, and 30 where
# SIGTERM is not heard.
GONE_SOON = 10
needs_ray = unittest.skipIf(EXISTING or not images.ray_archive(VERSION).exists(),
                            f"needs the image: tests/cluster/cluster.py ray {VERSION}")


@functools.cache
def real_node_has_ray():
    """Brings the image to the real node, unless other stories have."""
    if f"docker.io/{IMAGE}" not in node_images():
        images.import_ray(Run(os.environ["RAYFIX_BED"]), VERSION)


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
    head = to_real_node(cluster["spec"]["headGroupSpec"]["template"])
    # Its dashboard gives up after 30 s of starting otherwise, and the head is never ready.
    head["spec"]["containers"][0]["env"] = [
        {"name": "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT", "value": "180"}]
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


def memory_cgroup(identity):
    """The folder in which the kernel accounts for the container's memory."""
    root = machine.CGROUPS if machine.is_cgroup2() else machine.CGROUPS / "memory"
    run = f"rayfix-{os.environ['RAYFIX_BED']}"
    [found] = list(Path(root, run).glob(f"**/{identity}"))
    return found


def memory_peak(identity):
    """The most bytes that the container's cgroup has held."""
    file = "memory.peak" if machine.is_cgroup2() else "memory.max_usage_in_bytes"
    return int((memory_cgroup(identity) / file).read_text())


def memory_now(identity, kind):
    """Bytes of one kind (shmem: pages of any tmpfs) that the container's cgroup holds now."""
    text = (memory_cgroup(identity) / "memory.stat").read_text()
    return int(dict(line.split() for line in text.splitlines())[kind])


def memory_kills(identity):
    """How many of the container's processes the kernel has killed for lack of memory."""
    file = "memory.events" if machine.is_cgroup2() else "memory.oom_control"
    text = (memory_cgroup(identity) / file).read_text()
    return int(dict(line.split() for line in text.splitlines())["oom_kill"])


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


# What every program of a Driver begins with. Lines of Ray's own have another start.
PREAMBLE = """
import json, sys, threading, time
import ray
ray.init(logging_level="ERROR", log_to_driver=False, namespace="stories")
def say(**figures):
    print("STORY", json.dumps(figures), flush=True)
def outcome(reference):
    try:
        return ray.get(reference)
    except Exception as error:
        return f"lost: {type(error).__name__}"
def here():
    return ray.util.get_node_ip_address()
"""


class Driver:
    """A Ray program that runs in a pod's first container and says what it sees."""

    def __init__(self, pod, program):
        self.child = subprocess.Popen(
            ["kubectl", "exec", "-i", "-n", pod["metadata"]["namespace"], pod["metadata"]["name"],
             "--", "python3", "-u", "-c", PREAMBLE + program], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.said = []
        self.taken = 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            self.lines.append(line)
            if line.startswith("STORY "):
                self.said.append(json.loads(line[6:]))

    def next(self, seconds=180):
        """The next figures that it says."""
        def ready():
            ended = not self.reader.is_alive()
            if len(self.said) <= self.taken and ended:
                raise AssertionError("the driver ended:\n" + "".join(self.lines[-20:]))
            return len(self.said) > self.taken
        wait_until("a word of the driver", ready, seconds)
        self.taken += 1
        return self.said[self.taken - 1]

    def tell(self):
        """Lets a program go on that reads a line."""
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def close(self):
        self.child.terminate()
        self.child.wait(timeout=30)
        self.reader.join(timeout=30)
        self.child.stdin.close()
        self.child.stdout.close()


class SharedNamespace(unittest.TestCase):
    """Tests of one class in one namespace: a Ray cluster is expensive."""

    @classmethod
    def setUpClass(cls):
        cls.namespace = f"{cls.__name__.lower()}-{os.getpid()}"
        kubectl("create", "namespace", cls.namespace)
        cls.addClassCleanup(cls.remove)
        wait_until("its service account", lambda: kubectl(
            "get", "serviceaccount", "default", "-n", cls.namespace, check=False).ok)

    @classmethod
    def remove(cls):
        kubectl("delete", "rayclusters", "--all", "-n", cls.namespace, "--wait=false", check=False)
        kubectl("delete", "pods", "--all", "-n", cls.namespace, "--grace-period=1",
                "--timeout=60s", check=False)
        kubectl("delete", "namespace", cls.namespace, "--wait=false", check=False)

    def driver(self, pod, program):
        driver = Driver(pod, program)
        self.addCleanup(driver.close)
        return driver
