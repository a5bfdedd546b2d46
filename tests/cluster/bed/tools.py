"""Builds the programs of the bed from the Go modules in tools/, once."""

import hashlib
import re
import shutil
import subprocess
import sys
import time

from bed.errors import Failed, Missing
from bed.paths import BUILT, HERE

KUBERNETES = "k8s.io/kubernetes/cmd/"
# program: (module folder, package)
PROGRAMS = {
    "kube-apiserver": ("kubernetes", KUBERNETES + "kube-apiserver"),
    "kube-controller-manager": ("kubernetes", KUBERNETES + "kube-controller-manager"),
    "kube-scheduler": ("kubernetes", KUBERNETES + "kube-scheduler"),
    "kubelet": ("kubernetes", KUBERNETES + "kubelet"),
    "kube-proxy": ("kubernetes", KUBERNETES + "kube-proxy"),
    "kubectl": ("kubernetes", KUBERNETES + "kubectl"),
    "etcd": ("kubernetes", "go.etcd.io/etcd/server/v3"),
    "kuberay-operator": ("kuberay", "github.com/ray-project/kuberay/ray-operator"),
    "coredns": ("coredns", "."),
    "kwok": ("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
}


def module_folder(name):
    return HERE / "tools" / name


def version(module, path):
    """The version that the module in tools/`module` pins for the module `path`."""
    text = (module_folder(module) / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(path)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise Failed(f"{module_folder(module) / 'go.mod'}: does not require {path}")
    return found.group(1)


def versions():
    return {
        "kubernetes": version("kubernetes", "k8s.io/kubernetes"),
        "etcd": version("kubernetes", "go.etcd.io/etcd/server/v3"),
        "kuberay": version("kuberay", "github.com/ray-project/kuberay/ray-operator"),
        "kwok": version("kwok", "sigs.k8s.io/kwok"),
        "coredns": version("coredns", "github.com/coredns/coredns"),
    }


def module_source(module, path):
    """The folder of a pinned module's source in Go's module cache."""
    command = ["go", "list", "-m", "-f", "{{.Dir}}", path]
    done = subprocess.run(["go", "mod", "download", path], cwd=module_folder(module),
                          capture_output=True, text=True)
    if done.returncode == 0:
        done = subprocess.run(command, cwd=module_folder(module), capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"go list -m {path}: {done.stderr.strip()}")
    return done.stdout.strip()


def linker_flags(module):
    """Without these Kubernetes calls itself 0.0.0."""
    if module != "kubernetes":
        return "-s -w"
    kubernetes = versions()["kubernetes"]
    major, minor, _ = kubernetes.lstrip("v").split(".")
    package = "k8s.io/component-base/version"
    return (f"-s -w -X {package}.gitVersion={kubernetes} -X {package}.gitMajor={major}"
            f" -X {package}.gitMinor={minor}")


def stamp_of(program):
    """Changes when the program would be built differently."""
    module, package = PROGRAMS[program]
    digest = hashlib.sha256(f"{package} {linker_flags(module)}".encode())
    for source in sorted(module_folder(module).iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def outdated():
    """The programs that must be built."""
    names = []
    for program in PROGRAMS:
        stamp = BUILT / f".{program}.stamp"
        if not (BUILT / program).exists() or not stamp.exists() \
                or stamp.read_text() != stamp_of(program):
            names.append(program)
    return names


def build():
    """Builds what is missing or pinned differently now."""
    names = outdated()
    if not names:
        return
    if not shutil.which("go"):
        raise Missing("go is missing: install Go 1.21 or later (it fetches the toolchain it needs)")
    BUILT.mkdir(parents=True, exist_ok=True)
    for program in names:
        module, package = PROGRAMS[program]
        began = time.monotonic()
        print(f"building {program}", end="", flush=True)
        done = subprocess.run(
            ["nice", "-n", "10", "go", "build", "-trimpath", "-ldflags", linker_flags(module),
             "-o", str(BUILT / program), package],
            cwd=module_folder(module), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        print(f" {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode != 0:
            raise Failed(f"{program} does not build:\n{done.stderr.strip()[-3000:]}")
        (BUILT / f".{program}.stamp").write_text(stamp_of(program))
    print(f"{len(names)} programs in {BUILT}", file=sys.stderr)
