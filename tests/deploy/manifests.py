"""Manifests as objects. YAML is read by rayfix itself, which prints it as JSON."""

import functools
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "base"
COMPONENTS = DEPLOY / "components"
CHART = DEPLOY / "helm" / "rayfix"


def newest_rayfix():
    built = [ROOT / "build" / preset / "rayfix" for preset in ("dev", "release")]
    built = [path for path in built if path.is_file()]
    return str(max(built, key=lambda path: path.stat().st_mtime, default="rayfix"))


RAYFIX = os.environ.get("RAYFIX") or newest_rayfix()


def rayfix(*arguments, stdin=None):
    return subprocess.run([RAYFIX, *map(str, arguments)], input=stdin, text=True,
                          capture_output=True, timeout=120)


@functools.cache
def as_json(text):
    done = rayfix("mutate", "-o", "json", "-f", "-", stdin=text)
    if done.returncode != 0:
        raise AssertionError(f"rayfix does not read it: {done.stderr}")
    return done.stdout


def objects_of(text):
    """The objects of a YAML text, in its order."""
    read = json.loads(as_json(text))
    return read["items"] if read["kind"] == "List" else [read]


def key(thing):
    """What tells objects apart, for people too."""
    meta = thing["metadata"]
    return f"{thing['kind']} {meta.get('namespace', '')}/{meta['name']}".replace(" /", " ")


def by_key(objects):
    found = {key(thing): thing for thing in objects}
    if len(found) != len(objects):
        raise AssertionError(f"the same object twice: {sorted(map(key, objects))}")
    return found


def mapping(text):
    """A YAML mapping that is no Kubernetes object."""
    [read] = objects_of("apiVersion: v1\nkind: Values\n" + text)
    return {name: value for name, value in read.items() if name not in ("apiVersion", "kind")}


def configuration(objects):
    """The text of the configuration file in the ConfigMap."""
    return by_key(objects)["ConfigMap rayfix-system/rayfix"]["data"]["config.yaml"]


def unordered(value):
    """Lists of things with names become mappings: their order means nothing."""
    if isinstance(value, dict):
        return {name: unordered(item) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    if value and all(isinstance(item, dict) and "name" in item for item in value):
        return {item["name"]: unordered(item) for item in value}
    return [unordered(item) for item in value]


def comparable(objects):
    """Objects by key; the configuration file as what it means."""
    found = unordered(by_key(objects))
    for thing in found.values():
        if thing["kind"] == "ConfigMap":
            [thing["data"]["config.yaml"]] = objects_of(thing["data"]["config.yaml"])
    return found


def differences(wanted, found, path=""):
    """Where two readings differ, a line each."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [line for name in sorted({*wanted, *found})
                for line in differences(wanted.get(name), found.get(name), f"{path}/{name}")]
    if wanted == found:
        return []
    return [f"{path}: found {json.dumps(found)[:200]}, wanted {json.dumps(wanted)[:200]}"]
