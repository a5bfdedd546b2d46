#!/usr/bin/env python3
"""What renders and checks manifests: helm and kubeconform, pinned as Go modules in tools/ and built
beside the programs of the test bed, and schemas out of Go modules. Called as a program it makes
what is missing; kubectl comes with the bed (make cluster-tools)."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster"))

from bed.paths import BUILD  # noqa: E402

PACKAGES = {
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
}
# CustomResourceDefinitions of what the components use, out of the modules in tools/crds.
CRDS = {
    "github.com/cert-manager/cert-manager": (
        "deploy/crds/cert-manager.io_certificates.yaml",
        "deploy/crds/cert-manager.io_issuers.yaml"),
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"),
}
# As the bed builds its programs: quicker, and nobody debugs these.
FLAGS = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"]
ENVIRONMENT = {"CGO_ENABLED": "0", "GOGC": "400", "GOFLAGS": "", "GOWORK": "off"}
SCHEMAS = BUILD / "schemas"
OPENAPI = SCHEMAS / "kubernetes" / "swagger.json"
CRD_FOLDER = SCHEMAS / "crds"


class Failed(Exception):
    pass


def path(program):
    return str(BUILD / "bin" / program)


def run(command, folder):
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env={**os.environ, **ENVIRONMENT})
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-3000:]}")
    return done.stdout


def stamp_of(*folders):
    """Changes with what is pinned, and with the lists above."""
    digest = hashlib.sha256(json.dumps([PACKAGES, CRDS]).encode())
    for folder in folders:
        for file in ("go.mod", "go.sum"):
            digest.update((folder / file).read_bytes())
    return digest.hexdigest()


def is_current(stamp, *folders):
    return stamp.is_file() and stamp.read_text() == stamp_of(*folders)


def kubernetes_module():
    """The bed's module that pins Kubernetes."""
    for file in sorted((HERE.parent / "cluster" / "tools").glob("*/go.mod")):
        if re.search(r"\bk8s\.io/kubernetes v", file.read_text()):
            return file.parent
    raise Failed("no module in tests/cluster/tools requires k8s.io/kubernetes")


def source_of(module, name):
    """The folder of a module's source, in the version that `module` pins."""
    pinned = re.search(rf"\b{re.escape(name)} (v\S+)", (module / "go.mod").read_text()).group(1)
    return Path(json.loads(run(["go", "mod", "download", "-json", f"{name}@{pinned}"],
                               module))["Dir"])


def build(program):
    began = time.monotonic()
    print(f"building {program}", end="", flush=True)
    Path(path(program)).parent.mkdir(parents=True, exist_ok=True)
    run(["nice", "-n", "10", "go", "build", *FLAGS, "-ldflags", "-s -w", "-o", path(program),
         PACKAGES[program]], HERE / "tools" / program)
    print(f" {time.monotonic() - began:.0f} s", flush=True)


def fetch_schemas():
    shutil.rmtree(SCHEMAS, ignore_errors=True)
    OPENAPI.parent.mkdir(parents=True)
    CRD_FOLDER.mkdir()
    kubernetes = source_of(kubernetes_module(), "k8s.io/kubernetes")
    shutil.copy(kubernetes / "api" / "openapi-spec" / "swagger.json", OPENAPI)
    for name, files in CRDS.items():
        source = source_of(HERE / "tools" / "crds", name)
        for file in files:
            shutil.copy(source / file, CRD_FOLDER)


def parts():
    """name: (stamp, the modules it is made of, how it is made)"""
    made = {program: (Path(path(f".{program}.stamp")), [HERE / "tools" / program],
                      lambda program=program: build(program)) for program in PACKAGES}
    made["schemas"] = (SCHEMAS / ".stamp", [HERE / "tools" / "crds", kubernetes_module()],
                       fetch_schemas)
    return made


def missing():
    """What has not been made, or is pinned differently now."""
    names = [name for name, (stamp, folders, _) in parts().items()
             if not is_current(stamp, *folders)]
    return names if Path(path("kubectl")).is_file() else [*names, "kubectl (make cluster-tools)"]


def main():
    if not shutil.which("go"):
        print("deploy: go is missing: install Go 1.21 or later", file=sys.stderr)
        return 1 if os.environ.get("CI") else 77
    try:
        for stamp, folders, make in parts().values():
            if not is_current(stamp, *folders):
                make()
                stamp.write_text(stamp_of(*folders))
    except Failed as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
