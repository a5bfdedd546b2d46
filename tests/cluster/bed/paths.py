"""Where things lie: the source, the built programs, and the folder of one run."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
BUILD = Path(os.environ.get("RAYFIX_BED_BUILD", ROOT / "build" / "cluster")).resolve()
BUILT = BUILD / "bin"
# A test puts a program that fails here.
BIN = Path(os.environ.get("RAYFIX_BED_BIN", BUILT))
RUNS = BUILD / "runs"
IMAGES = BUILD / "images"

# Addresses inside the bed. Every run has its own network namespace, so they need not differ.
POD_NETWORK = "10.244.0.0/24"
NODE_ADDRESS = "10.244.0.1"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
RAYFIX_SERVICE = "10.96.0.20"
API_URL = f"https://{NODE_ADDRESS}:6443"
NODE = "real"


class Run:
    """The folder of one run and what lies in it."""

    def __init__(self, name):
        self.name = name
        self.folder = RUNS / name
        self.logs = self.folder / "logs"
        self.pki = self.folder / "pki"
        self.data = self.folder / "data"
        self.kubeconfig = self.folder / "kubeconfig"
        self.state = self.folder / "state.json"
        self.request = self.data / "request.json"
        self.answer = self.data / "answer.json"
        self.cgroup = f"rayfix-{name}"

    def make(self):
        for folder in (self.logs, self.pki, self.data):
            folder.mkdir(parents=True, exist_ok=True)

    def environment(self):
        """The environment of programs inside the bed."""
        env = dict(os.environ)
        env["KUBECONFIG"] = str(self.kubeconfig)
        env["PATH"] = f"{BIN}:{env['PATH']}"
        env["RAYFIX_BED"] = self.name
        env["TMPDIR"] = str(self.data / "tmp")
        env["KUBECACHEDIR"] = str(self.data / "kube-cache")  # not in somebody's home
        env.pop("HTTPS_PROXY", None)
        env.pop("HTTP_PROXY", None)
        return env
