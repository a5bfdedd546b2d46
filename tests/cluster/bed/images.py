"""Container images made on the spot: nothing is pulled from a registry."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

from bed import locks, tools
from bed.components import PAUSE_IMAGE, import_image
from bed.errors import Failed
from bed.paths import BUILD, HERE, IMAGES

RAY_IMAGE = "docker.io/rayproject/ray"
# Ray's dependencies have no upper bounds: an old Ray needs packages of its time.
RAY_CONSTRAINTS = {
    "2.46.0": ["protobuf<6", "click<8.2", "setuptools<81", "opentelemetry-sdk<1.36",
               "opentelemetry-exporter-prometheus<0.57", "fastapi<0.116", "starlette<0.47",
               "uvicorn<0.35"],
}


def add_bytes(archive, name, data, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def write_image(path, name, files, config):
    """A docker-archive with one layer; `files` maps a name in it to (bytes, mode)."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for file, (data, mode) in files.items():
            add_bytes(archive, file, data, mode)
    layer = layer.getvalue()
    configuration = json.dumps({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }).encode()
    configuration_name = hashlib.sha256(configuration).hexdigest() + ".json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        add_bytes(archive, configuration_name, configuration)
        add_bytes(archive, "layer.tar", layer)
        add_bytes(archive, "manifest.json", json.dumps([{
            "Config": configuration_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode())


def file_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def write_image_of_folder(path, name, root, config):
    """As write_image, for a whole file system."""
    layer = path.with_suffix(".layer")
    done = subprocess.run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(layer), "."],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"tar {root}: {done.stderr.strip()}")
    configuration = json.dumps({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + file_digest(layer)]}}).encode()
    configuration_name = hashlib.sha256(configuration).hexdigest() + ".json"
    new = path.with_suffix(".new")
    with tarfile.open(new, "w") as archive:
        add_bytes(archive, configuration_name, configuration)
        archive.add(layer, "layer.tar")
        add_bytes(archive, "manifest.json", json.dumps([{
            "Config": configuration_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode())
    layer.unlink()
    new.rename(path)


def ray_archive(version):
    """Not among the images that every bed imports: it is large."""
    return BUILD / "ray" / f"ray-{version}.tar"


def make_ray(version, say):
    """Debian with ray[default,serve]: the Ray project's own images would have to be pulled."""
    image = ray_archive(version)
    # One at a time: they share the Debian below.
    with locks.held(BUILD / "ray" / ".lock"):
        if not image.exists():
            began = time.monotonic()
            make_ray_image(version, image)
            say(f"image of Ray {version}: {image.stat().st_size / 1e6:.0f} MB,"
                f" {time.monotonic() - began:.0f} s")


def make_ray_image(version, image):
    folder = BUILD / "ray" / version
    folder.mkdir(parents=True, exist_ok=True)
    # What debootstrap mounts is nobody else's business.
    done = subprocess.run(["unshare", "--mount", str(HERE / "ray-image"), version, str(folder),
                           *RAY_CONSTRAINTS.get(version, [])], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"Ray {version}: {(done.stdout + done.stderr).strip()[-3000:]}")
    write_image_of_folder(image, f"{RAY_IMAGE}:{version}", folder / "root",
                          {"User": "1000:100", "WorkingDir": "/home/ray",
                           "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/ray"]})
    shutil.rmtree(folder)


def import_ray(run, version):
    import_image(run, ray_archive(version))


def make_pause():
    """The program that holds a pod's namespaces, from the source in the Kubernetes module."""
    image = IMAGES / "pause.tar"
    with locks.held(BUILD / ".lock-pause"):
        if not image.exists():
            make_pause_image(image)


def make_pause_image(image):
    source = Path(tools.module_source("kubernetes", "k8s.io/kubernetes")) / "build/pause/linux"
    program = BUILD / "pause"
    done = subprocess.run(["gcc", "-Os", "-static", "-DVERSION=bed", "-o", str(program),
                           str(source / "pause.c")], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"pause does not build: {done.stderr.strip()}")
    write_image(image, PAUSE_IMAGE, {"pause": (program.read_bytes(), 0o755)},
                {"Entrypoint": ["/pause"], "User": "65535:65535"})
