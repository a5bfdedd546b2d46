"""What an API server sends in an hour, in small: reviews of both webhook paths, of 2 to 13 kB,
fixed and left alone, allowed and denied. No larger ones: where a body does not fit into the socket
at once, wrk asks its script for the next request and breaks the connection."""

import copy
import json
from pathlib import Path

import bodies

PODS = ("cpu-worker", "gpu-worker-helm-log-volume", "gpu-worker-spot", "head-without-probe",
        "web-pod", "worker-duplicate-wait")


def pod_of(name):
    return json.loads((bodies.ROOT / "examples" / f"{name}.json").read_text(encoding="utf-8"))


def too_large(pod):
    """A bare worker that no node has room for."""
    pod = copy.deepcopy(pod)
    pod["metadata"].pop("ownerReferences", None)
    pod["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "64", "memory": "512Gi"}}
    return pod


def ray_cluster(maximum):
    resources = {"cpu": "2", "memory": "8Gi"}
    template = {"spec": {"containers": [{
        "name": "ray", "image": "rayproject/ray:2.46.0",
        "resources": {"limits": resources, "requests": resources}}]}}
    return {"apiVersion": "ray.io/v1", "kind": "RayCluster",
            "metadata": {"name": "mixed", "namespace": "team-vision"},
            "spec": {"headGroupSpec": {"rayStartParams": {}, "template": template},
                     "workerGroupSpecs": [{"groupName": f"group-{number}", "replicas": 1,
                                           "minReplicas": 0, "maxReplicas": maximum,
                                           "rayStartParams": {}, "template": template}
                                          for number in range(4)]}}


def review_of_cluster(cluster):
    review = bodies.admission.review(cluster)
    kind = {"group": "ray.io", "version": "v1", "kind": "RayCluster"}
    resource = {"group": "ray.io", "version": "v1", "resource": "rayclusters"}
    review["request"].update(kind=kind, requestKind=kind, resource=resource,
                             requestResource=resource)
    return json.dumps(review, separators=(",", ":")).encode()


def reviews():
    """(path, body), about as often as they come: most are of pods."""
    worker = pod_of("gpu-worker-helm-log-volume")
    found = []
    for name in PODS:
        pod = pod_of(name)
        for size in (2_000, 6_000, 13_000):
            found += [(path, bodies.encode(bodies.grow(pod, size)))
                      for path in ("mutate", "validate")]
    return found + [("validate", bodies.encode(too_large(worker))),
                    ("validate", review_of_cluster(ray_cluster(5))),
                    ("validate", review_of_cluster(ray_cluster(50)))]


def write(folder):
    """Writes them and a list for mixed.lua, a line "PATH FILE" for each; returns that list."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (path, body) in enumerate(reviews()):
        file = folder / f"mixed-{number:02}.json"
        file.write_bytes(body)
        lines.append(f"{path} {file}\n")
    listed = folder / "mixed.list"
    listed.write_text("".join(lines), encoding="utf-8")
    return listed
