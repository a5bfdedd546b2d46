"""wait-gcs against heads of all kinds: silent, speaking, replaced, with TLS."""

import json
import socket
import ssl
import subprocess
import threading
import time
import unittest

from bed.network import BRIDGE
from bed.paths import NODE_ADDRESS
from kube import Story, create, example, get, kubectl, wait_until
from real import IMAGE, container_id, needs_ray, real_node_has_ray, running_container, to_real_node
from server import needs_the_bed

# What a gRPC server says first: an HTTP/2 SETTINGS frame.
SETTINGS = bytes.fromhex("000018040000000000000400400000")
OTHER_ADDRESS = "10.244.0.2"


class Listener:
    """Something on the head's port. `greet` is sent to who connects; None: silence."""

    def __init__(self, address, port, greet=None, context=None):
        self.socket = socket.create_server((address, port))
        self.greet, self.context = greet, context
        self.connections = []
        self.accepted = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                if self.context:
                    connection = self.context.wrap_socket(connection, server_side=True)
                if self.greet:
                    connection.sendall(self.greet)
            except OSError:
                pass
            self.connections.append(connection)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            connection.close()


@needs_ray
@needs_the_bed
class Heads(Story):
    """A worker as KubeRay makes it, and a headless service of ours for its head."""

    port = 16379

    def endpoints(self, address):
        kubectl("apply", "-f", "-", stdin={
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"namespace": self.namespace, "name": "head",
                         "labels": {"kubernetes.io/service-name": "head"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"name": "gcs", "port": self.port}]})

    def worker(self, tls=False):
        real_node_has_ray()
        kubectl("apply", "-f", "-", stdin={
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": self.namespace, "name": "head"},
            "spec": {"clusterIP": "None", "ports": [{"name": "gcs", "port": self.port}]}})
        pod = example("cpu-worker.json", self.namespace)
        to_real_node(pod, memory="512Mi")
        old = [each["value"] for each in pod["spec"]["containers"][0]["env"]
               if each["name"] == "RAY_ADDRESS"][0]
        new = f"head.{self.namespace}.svc.cluster.local:{self.port}"
        pod = json.loads(json.dumps(pod).replace(old, new))
        wait = [each for each in pod["spec"]["initContainers"]
                if each["name"] == "wait-gcs-ready"][0]
        wait.update(image=IMAGE, imagePullPolicy="Never")
        if tls:
            wait.setdefault("env", []).append({"name": "RAY_USE_TLS", "value": "1"})
        # What comes after the waiting is not what this is about.
        main = pod["spec"]["containers"][0]
        main["args"] = ["sleep 600"]
        for probe in ("livenessProbe", "readinessProbe"):
            main.pop(probe, None)
        pod = create(pod).json()
        self.name = pod["metadata"]["name"]
        running_container(pod, "wait-gcs-ready")
        return pod

    def log(self):
        return kubectl("logs", "-n", self.namespace, self.name, "-c", "wait-gcs-ready",
                       check=False).out

    def is_started(self):
        return bool(container_id(get("pod", self.name, self.namespace), "ray-worker"))

    def listen(self, *arguments, **more):
        listener = Listener(*arguments, **more)
        self.addCleanup(listener.close)
        return listener

    def test_a_head_that_does_not_speak_keeps_it_waiting(self):
        self.endpoints(NODE_ADDRESS)
        silent = Listener(NODE_ADDRESS, self.port)
        self.worker()
        wait_until("two tries", lambda: silent.accepted >= 2, 60)
        self.assertFalse(self.is_started())
        self.assertIn("(no answer)", self.log())
        silent.close()
        self.listen(NODE_ADDRESS, self.port, SETTINGS)
        wait_until("the worker starts", self.is_started, 40)
        self.assertIn("GCS is ready at head", self.log())

    def test_a_head_that_comes_back_under_another_address_is_found(self):
        subprocess.run(["ip", "address", "add", f"{OTHER_ADDRESS}/24", "dev", BRIDGE], check=True)
        self.addCleanup(subprocess.run, ["ip", "address", "del", f"{OTHER_ADDRESS}/24", "dev",
                                         BRIDGE])
        self.endpoints(NODE_ADDRESS)
        self.worker()
        wait_until("it is refused", lambda: "Connection refused" in self.log(), 40)
        self.listen(OTHER_ADDRESS, self.port, SETTINGS)
        self.endpoints(OTHER_ADDRESS)
        wait_until("the worker starts", self.is_started, 60)

    def test_a_name_that_does_not_exist_yet_is_said(self):
        kubectl("create", "service", "clusterip", "other", "--tcp=1", "-n", self.namespace)
        self.worker()
        wait_until("its line", lambda: "Name or service not known" in self.log()
                   or "No address associated" in self.log(), 40)
        self.endpoints(NODE_ADDRESS)
        self.listen(NODE_ADDRESS, self.port, SETTINGS)
        wait_until("the worker starts", self.is_started, 60)

    def test_with_tls_a_connection_is_enough(self):
        """A TLS server is silent until the client speaks, so the shell form only connects."""
        self.endpoints(NODE_ADDRESS)
        run = self.run_folder()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(run.pki / "apiserver.crt", run.pki / "apiserver.key")
        self.worker(tls=True)
        time.sleep(2)
        self.assertFalse(self.is_started())
        self.listen(NODE_ADDRESS, self.port, SETTINGS, context=context)
        wait_until("the worker starts", self.is_started, 60)

    @staticmethod
    def run_folder():
        import os
        from bed.paths import Run
        return Run(os.environ["RAYFIX_BED"])


if __name__ == "__main__":
    unittest.main()
