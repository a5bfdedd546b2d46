"""The rayfix of the stories: a process in the bed that can be started, killed and registered."""

import json
import os
import signal
import subprocess
import unittest

from bed import rayfix
from bed.paths import Run
from kube import kubectl, wait_until

EXISTING = bool(os.environ.get("USE_EXISTING_CLUSTER"))
needs_the_bed = unittest.skipIf(EXISTING, "needs a cluster whose rayfix may be killed")


class Server:
    """On a cluster that exists rayfix is installed already, and left alone."""

    def __init__(self):
        self.child = None
        self.registered = False
        if EXISTING:
            return
        self.run = Run(os.environ["RAYFIX_BED"])
        self.program = os.environ["RAYFIX"]
        rayfix.issue(self.run, self.program)
        rayfix.add_service(self.run)

    def start(self, configuration=None):
        """Starts the process unless it runs, and waits until it is ready."""
        if EXISTING or self.child:
            return
        path = None
        if configuration:
            path = self.run.data / "rayfix.json"
            path.write_text(json.dumps(configuration))
        with open(self.run.logs / "rayfix.log", "ab") as log:
            self.child = subprocess.Popen(rayfix.command(self.run, self.program, path), stdout=log,
                                          stderr=log, stdin=subprocess.DEVNULL)
        wait_until("rayfix ready", rayfix.is_ready, 10)

    def stop(self, how=signal.SIGTERM):
        if EXISTING or not self.child:
            return 0
        self.child.send_signal(how)
        code = self.child.wait(timeout=60)
        self.child = None
        return code

    def kill(self):
        self.stop(signal.SIGKILL)

    def register(self):
        """The webhooks of webhooks.json; returns when the API server calls them."""
        if EXISTING or self.registered:
            return
        rayfix.register(self.run)
        self.registered = True
        wait_until("the API server calls rayfix", self.is_called)

    def unregister(self):
        if EXISTING or not self.registered:
            return
        rayfix.unregister(self.run)
        self.registered = False
        wait_until("the API server calls rayfix no more", lambda: not self.is_called())

    def is_called(self):
        """The API server takes a moment to see its own configuration: all five must answer."""
        budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                  "metadata": {"name": "probe", "namespace": "default"},
                  "spec": {"maxUnavailable": 1,
                           "selector": {"matchLabels": {"ray.io/node-type": "worker"}}}}
        denied = kubectl("create", "--dry-run=server", "-f", "-", stdin=budget, check=False)
        pod = {"apiVersion": "v1", "kind": "Pod",
               "metadata": {"name": "probe", "namespace": "default",
                            "labels": {"ray.io/node-type": "worker"}},
               "spec": {"containers": [{"name": "ray-worker", "image": "ray"}]}}
        mutated = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=pod,
                          check=False)
        return not denied.ok and "rayfix.io/applied" in mutated.out

    def on(self, configuration=None):
        self.start(configuration)
        self.register()

    def off(self):
        self.unregister()


_server = None


def server():
    """The one server of this run."""
    global _server
    if _server is None:
        _server = Server()
    return _server
