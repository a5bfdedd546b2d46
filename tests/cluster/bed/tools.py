"""Builds the programs of the bed from the Go modules in tools/, once."""

import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bed import locks
from bed.errors import Failed, Missing
from bed.paths import BUILD, BUILT, HERE

OPERATOR = "github.com/ray-project/kuberay/ray-operator"
# The oldest, the one of every bed, the newest; each its own module, as they are one path in Go.
KUBERAY_VERSIONS = ("1.0.0", "1.4.2", "1.6.2")
KUBERAY = "1.4.2"
# Of these there is one program that does as it is called: Go links what they share once.
IN_ONE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
          "etcd", "coredns", "kwok")
# program: (module folder, package)
PROGRAMS = {
    **{name: ("kubernetes", ".") for name in IN_ONE},
    # It starts many times, and quicker without what the others initialise.
    "kubectl": ("kubernetes", "k8s.io/kubernetes/cmd/kubectl"),
    **{f"kuberay-operator-{number}": (f"kuberay-{number}", OPERATOR)
       for number in KUBERAY_VERSIONS},
}
# The same flags for every program, or Go's cache has what they share more than once. Without cgo Go
# links by itself; nobody debugs these; the compiler's garbage collector may be lazy.
FLAGS = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"]
ENVIRONMENT = {"CGO_ENABLED": "0", "GOGC": "400", "GOFLAGS": "", "GOWORK": "off"}


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
        "kuberay": version(f"kuberay-{KUBERAY}", OPERATOR),
        "kwok": version("kubernetes", "sigs.k8s.io/kwok"),
        "coredns": version("kubernetes", "github.com/coredns/coredns"),
    }


def go(module, *arguments):
    return subprocess.run(["go", *arguments], cwd=module_folder(module), text=True,
                          env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL,
                          capture_output=True)


def module_source(module, path):
    """The folder of a pinned module's source in Go's module cache."""
    done = go(module, "mod", "download", path)
    if done.returncode == 0:
        done = go(module, "list", "-m", "-f", "{{.Dir}}", path)
    if done.returncode != 0:
        raise Failed(f"go list -m {path}: {done.stderr.strip()}")
    return done.stdout.strip()


def kuberay_config(number):
    """The folder with the CRDs and the samples of an operator."""
    return BUILD / "kuberay" / number


def keep_kuberay_config(number):
    """Beside the programs: a bed has no network to fetch the module again."""
    target = kuberay_config(number)
    shutil.rmtree(target, ignore_errors=True)
    source = Path(module_source(f"kuberay-{number}", OPERATOR)) / "config"
    for folder in ("crd/bases", "samples"):
        shutil.copytree(source / folder, target / folder, copy_function=shutil.copyfile)


def linker_flags(module):
    """Without these Kubernetes calls itself 0.0.0."""
    if module != "kubernetes":
        return "-s -w"
    kubernetes = versions()["kubernetes"]
    major, minor, _ = kubernetes.lstrip("v").split(".")
    package = "k8s.io/component-base/version"
    return (f"-s -w -X {package}.gitVersion={kubernetes} -X {package}.gitMajor={major}"
            f" -X {package}.gitMinor={minor}")


def file_of(program):
    """What is built: the program itself, or the one that it is a name of."""
    return BUILT / ("kubernetes" if PROGRAMS[program] == ("kubernetes", ".") else program)


def stamp_of(program):
    """Changes when the program would be built differently."""
    module, package = PROGRAMS[program]
    digest = hashlib.sha256(f"{package} {linker_flags(module)} {FLAGS}".encode())
    for source in sorted(module_folder(module).iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def stamp_file(program):
    return BUILT / f".{file_of(program).name}.stamp"


def outdated():
    """The programs that must be built."""
    names = []
    for program in PROGRAMS:
        stamp = stamp_file(program)
        if not (BUILT / program).exists() or not stamp.exists() \
                or stamp.read_text() != stamp_of(program):
            names.append(program)
    return names


def build_one(program):
    """Beside what is there and then in its place: that may be running."""
    module, package = PROGRAMS[program]
    file = file_of(program)
    new = file.with_name(f".{file.name}.new")
    done = go(module, "build", *FLAGS, "-ldflags", linker_flags(module), "-o", str(new), package)
    if done.returncode != 0:
        raise Failed(f"{file.name} does not build:\n{done.stderr.strip()[-3000:]}")
    new.rename(file)


def link(program):
    """The name of a program that is one of many in a file."""
    file, name = file_of(program), BUILT / program
    if file != name:
        new = name.with_name(f".{program}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(file.name)
        new.rename(name)


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def build(say=lambda line: print(line, file=sys.stderr, flush=True)):
    """Builds what is missing or pinned differently now. Two at once do it once."""
    if not outdated():
        return
    if not shutil.which("go"):
        raise Missing("go is missing: install Go 1.21 or later (it fetches the toolchain it needs)")
    BUILT.mkdir(parents=True, exist_ok=True)
    with locks.held(BUILT / ".lock"):
        names, built = outdated(), set()
        for program in names:
            file = file_of(program)
            if file not in built:
                began, used = time.monotonic(), cpu_seconds()
                say(f"building {file.name}")
                build_one(program)
                built.add(file)
                say(f"built {file.name} in {time.monotonic() - began:.0f} s"
                    f" ({cpu_seconds() - used:.0f} CPU seconds)")
                if program.startswith("kuberay-operator-"):
                    keep_kuberay_config(program.removeprefix("kuberay-operator-"))
            link(program)
            stamp_file(program).write_text(stamp_of(program))
    say(f"{len(names)} programs in {BUILT}")
