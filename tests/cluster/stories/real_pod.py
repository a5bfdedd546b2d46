"""Pods that run on the real node without KubeRay: only what a story needs of Ray."""

from bed.paths import NODE
from kube import create, get, kubectl, wait_until
from real import IMAGE, container_id, real_node_has_ray


def ray_pod(namespace, name, role, script, **more):
    """A pod of the Ray image that runs a shell script; `more` goes to its container."""
    real_node_has_ray()
    resources = {"cpu": "500m", "memory": "1Gi"}
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace,
                     "labels": {"ray.io/node-type": role, "stories": name}},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": NODE},
            "restartPolicy": "Never",
            "containers": [{
                "name": f"ray-{role}", "image": IMAGE, "imagePullPolicy": "Never",
                "command": ["/bin/bash", "-c", "--"], "args": [script],
                "resources": {"requests": resources, "limits": {**resources, "cpu": "2"}},
                **more}],
        },
    }


def run_pod(pod, seconds=60):
    """Creates it and waits until its container runs; what the API server made of it."""
    made = create(pod).json()
    where = (made["metadata"]["name"], made["metadata"]["namespace"])
    container = made["spec"]["containers"][0]["name"]
    wait_until(f"{where[0]} runs", lambda: container_id(get("pod", *where), container), seconds)
    return made


def run_in(pod, *command, check=True):
    """Runs a command in the pod; its output."""
    return kubectl("exec", "-n", pod["metadata"]["namespace"], pod["metadata"]["name"], "--",
                   *command, check=check)
