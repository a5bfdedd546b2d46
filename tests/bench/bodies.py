"""AdmissionReviews of chosen sizes, grown from an example pod where real ones grow: environment
variables, annotations such as kubectl's last-applied, and managedFields."""

import copy
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))

import admission  # noqa: E402  (beside the examples, which it serves first)

SIZES = {"2kB": 2_000, "13kB": 13_000, "100kB": 100_000, "1.5MB": 1_500_000}


def encode(pod):
    """As Go writes it, which escapes what HTML would read."""
    text = json.dumps(admission.review(pod), separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def shrink(pod):
    """The least that is still a worker which the fixes concern."""
    pod = copy.deepcopy(pod)
    spec, metadata = pod["spec"], pod["metadata"]
    keep = ("ray.io/node-type", "ray.io/cluster")
    metadata["labels"] = {key: metadata["labels"][key] for key in keep}
    del metadata["ownerReferences"], spec["initContainers"], spec["volumes"], spec["tolerations"]
    ray = spec["containers"][0]
    ray["env"] = [entry for entry in ray["env"] if entry["name"] == "RAY_ADDRESS"]
    for key in ("volumeMounts", "livenessProbe", "ports"):
        ray.pop(key)
    return pod


def grow(pod, size):
    """Fills up to about `size` bytes: a third each of env, annotations and managedFields."""
    pod = copy.deepcopy(pod)
    missing = size - len(encode(pod))
    if missing <= 0:
        return pod
    env = pod["spec"]["containers"][0].setdefault("env", [])
    names = []
    used = 0
    while used < missing / 3:
        name = f"DATA_SOURCE_{len(names):05d}_URL"
        value = f"s3://team-vision-datasets/images/{len(names):05d}/train-<part>.parquet"
        env.insert(0, {"name": name, "value": value})
        names.append(name)
        used += len(name) + len(value) + 22
    fields = {f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:value": {}} for name in names}
    room = max(0, int(missing / 3 / max(1, len(json.dumps(fields, separators=(",", ":"))))
                      * len(fields)))
    kept = dict(list(fields.items())[:room])
    pod["metadata"]["managedFields"] = [{
        "manager": "manager", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:containers": {
            'k:{"name":"ray-worker"}': {"f:env": kept}}}}}]
    left = size - len(encode(pod))
    applied = json.dumps({"spec": {"env": env[:len(env) // 2]}})
    annotations = pod["metadata"].setdefault("annotations", {})
    number = 0
    while left > 120:
        piece = applied[: min(left * 3 // 4, 200_000)]
        annotations[f"example.com/last-applied-{number:03d}"] = piece
        number += 1
        before = left
        left = size - len(encode(pod))
        if left >= before:
            break
    return pod


def write(folder):
    """Writes one file for each size; returns {name: path}."""
    example = ROOT / "examples" / "gpu-worker-helm-log-volume.json"
    pod = json.loads(example.read_text(encoding="utf-8"))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, size in SIZES.items():
        path = folder / f"review-{name}.json"
        path.write_bytes(encode(grow(shrink(pod) if size < 5_000 else pod, size)))
        paths[name] = path
    return paths


if __name__ == "__main__":
    for name, path in write(sys.argv[1] if len(sys.argv) > 1 else "build/bench").items():
        print(f"{name:>6} {path.stat().st_size:>9} bytes  {path}")
