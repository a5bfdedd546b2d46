"""What the demo and the benchmark share: wrap a pod as the API server does, apply the answer's
patch, run a server on loopback."""

import base64
import copy
import json
import os
import re
import select
import subprocess
import time
import uuid
from urllib.request import urlopen


def review(pod):
    """The AdmissionReview that the API server sends when this pod is created."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(pod))),
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "namespace": pod["metadata"].get("namespace", "default"),
            "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:ray-system:kuberay-operator",
                "uid": "2c8c9f6e-9a0b-4a86-8a39-2d9f5c7f1b60",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:ray-system",
                           "system:authenticated"],
            },
            "object": pod,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }


def patch_of(answer):
    """The JSON Patch in an answer, [] without one."""
    patch = answer["response"].get("patch")
    return json.loads(base64.b64decode(patch)) if patch else []


def apply_patch(document, patch):
    """A patched copy; RFC 6902's add, remove, replace and test."""
    document = {"": copy.deepcopy(document)}
    for operation in patch:
        parts = [part.replace("~1", "/").replace("~0", "~")
                 for part in operation["path"].split("/")]
        parent = document
        for part in parts[:-1]:
            parent = parent[int(part) if isinstance(parent, list) else part]
        key = parts[-1]
        if isinstance(parent, list):
            key = len(parent) if key == "-" else int(key)
        what = operation["op"]
        if what == "add" and isinstance(parent, list):
            parent.insert(key, operation["value"])
        elif what == "add":
            parent[key] = operation["value"]
        elif what == "replace":
            parent[key]  # it must be there
            parent[key] = operation["value"]
        elif what == "remove":
            del parent[key]
        elif what == "test":
            if parent[key] != operation["value"]:
                raise ValueError(f"test failed at {operation['path']}")
        else:
            raise ValueError(f"no operation {what} is expected in an answer")
    return document[""]


# Nobody else sends requests, so the server need not wait for load balancers when it stops.
CONFIGURATION = """apiVersion: rayfix.io/v1alpha1
kind: Configuration
shutdown:
  delay: 0s
"""


class Server:
    """`rayfix serve` on free loopback ports; stopped by its process id at the end of `with`."""

    def __init__(self, program, folder, log_file=None):
        """`folder` holds what `rayfix certs issue` wrote to it."""
        config = os.path.join(folder, "rayfix.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        self.command = [program, "serve", "--config", config, "--bind-address", "127.0.0.1:0",
                        "--health-bind-address", "127.0.0.1:0", "--cert-dir", folder]
        self.ca_file = os.path.join(folder, "ca.crt")
        self.log_file = log_file or os.path.join(folder, "serve.log")
        self.process = None
        self.url = None
        self.health_url = None
        self.start_ms = None

    def __enter__(self):
        begin = time.monotonic()
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log,
                                            stdin=subprocess.DEVNULL)
        try:
            self._read_addresses(begin + 20)
            self._wait_ready(begin + 20)
        except BaseException:
            self.__exit__()
            raise
        self.start_ms = (time.monotonic() - begin) * 1000
        return self

    def _read_addresses(self, deadline):
        text = b""
        while not (self.url and self.health_url):
            readable, _, _ = select.select([self.process.stdout], [], [],
                                           max(0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 4096) if readable else b""
            if not chunk:
                raise RuntimeError(f"{' '.join(self.command)} did not start: {self.log()}")
            text += chunk
            found = dict(re.findall(rb"^rayfix: (serving|health) (https?://\S+)\n", text, re.M))
            self.url = found.get(b"serving", b"").decode()
            self.health_url = found.get(b"health", b"").decode()

    def _wait_ready(self, deadline):
        while True:
            try:
                if self.get("/readyz"):
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server is not ready: {self.log()}")
            time.sleep(0.002)

    def get(self, path):
        with urlopen(self.health_url + path, timeout=5) as answer:
            return answer.read().decode()

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:].strip() or "(it said nothing)"

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
