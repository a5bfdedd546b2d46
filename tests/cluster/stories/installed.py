"""rayfix as a user installs it: deploy/install.yaml, an image, two replicas on the real node."""

import os
import re
import subprocess
import time
from pathlib import Path

from bed import images, rayfix
from bed.components import import_image, node_images
from bed.errors import Failed
from kube import ROOT, kubectl, wait_until
from server import server

INSTALL = ROOT / "deploy" / "install.yaml"
NAMESPACE = "rayfix-system"
WAIT_GCS = "wait-gcs/static/wait-gcs"  # in the build's folder
POD = {"apiVersion": "v1", "kind": "Pod",
       "metadata": {"name": "probe", "namespace": "default",
                    "labels": {"ray.io/node-type": "worker"}},
       "spec": {"containers": [{"name": "ray-worker", "image": "ray"}]}}


def image_name():
    return re.search(r"image: (\S+)", INSTALL.read_text()).group(1)


def make_image(path, name=None, preload=None, environment=()):
    """The programs and the libraries that a linker would load, also one that is not asked for; no
    shell, as in the real one."""
    program = Path(os.environ["RAYFIX"])
    files = {"rayfix": (program.read_bytes(), 0o755),
             "wait-gcs": ((program.parent / WAIT_GCS).read_bytes(), 0o755)}
    if preload:
        files[preload.lstrip("/")] = (Path(preload).read_bytes(), 0o755)
    for program in filter(None, (os.environ["RAYFIX"], preload)):
        linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", linked):
            files[library.lstrip("/")] = (Path(library).read_bytes(), 0o755)
    preloaded = [f"LD_PRELOAD={preload}"] if preload else []
    images.write_image(path, name or image_name(), files, {
        "Entrypoint": ["/rayfix"], "Cmd": ["serve"], "User": "65532:65532",
        "Env": [*preloaded, *environment]})


def find_image():
    """What `make image` has left, where that is sure to be the program under test: in CI, or where
    RAYFIX_IMAGE names it."""
    if os.environ.get("RAYFIX_IMAGE"):
        return Path(os.environ["RAYFIX_IMAGE"])
    version = image_name().rpartition(":")[2]
    archive = ROOT / "build" / "image" / f"rayfix-{version}.tar"
    return archive if os.environ.get("CI") and archive.is_file() else None


def bring_image():
    """Puts the image of install.yaml on the node; returns how it was made."""
    archive, how = find_image(), "make image"
    if not archive:
        archive, how = server().run.data / "rayfix-image.tar", "of the program under test"
        make_image(archive)
    import_image(server().run, archive)
    there = node_images()
    if image_name() not in there:
        raise Failed(f"{archive} is not {image_name()}: the node has {' '.join(there)}")
    return how


def send_away():
    """The bed's own rayfix, a process, goes with everything that has the names of the real one."""
    server().unregister()
    server().stop()
    rayfix.unregister(server().run)  # also what an earlier run has left
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


def bring_back():
    rayfix.add_service(server().run)
    server().on()


def replicas():
    """The pods that are not on their way out."""
    found = kubectl("get", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=rayfix", "-o",
                    "json").json()["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod):
    return any(condition["type"] == "Ready" and condition["status"] == "True"
               for condition in pod.get("status", {}).get("conditions", []))


def wait_replicas(seconds=60):
    def both():
        found = replicas()
        return found if len(found) == 2 and all(map(is_ready, found)) else None
    return wait_until("both replicas ready", both, seconds)


def is_mutated():
    """Whether a pod that the API server is asked for comes back fixed."""
    made = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=POD, check=False)
    return "rayfix.io/applied" in made.out


def install():
    """Applies install.yaml; seconds until both replicas are ready and a Ray pod is mutated."""
    began = time.monotonic()
    kubectl("apply", "-f", INSTALL)
    wait_replicas()
    wait_until("a Ray pod mutated", is_mutated, 60)
    return round(time.monotonic() - began, 1)


def uninstall():
    """Deletes install.yaml; seconds until everything is gone."""
    began = time.monotonic()
    kubectl("delete", "-f", INSTALL, "--ignore-not-found")
    return round(time.monotonic() - began, 1)


def bundles():
    """caBundle of every webhook, as the API server has it."""
    found = []
    for kind in ("mutating", "validating"):
        stored = kubectl("get", f"{kind}webhookconfiguration", "rayfix", "-o", "json").json()
        found += [hook["clientConfig"].get("caBundle", "") for hook in stored["webhooks"]]
    return found
