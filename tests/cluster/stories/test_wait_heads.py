"""wait-gcs against heads of all kinds: silent, speaking, replaced, with TLS."""

import json
import os
import socket
import subprocess
import threading
import unittest

from bed import credentials
from bed.network import BRIDGE
from bed.paths import NODE_ADDRESS, POD_NETWORK, Run
from kube import Story, create, example, get, kubectl, wait_until
from proof import record
from real import (IMAGE, container_id, memory_kills, needs_ray, real_node_has_ray,
                  running_container, to_real_node)
from real_pod import ray_pod, run_in, run_pod
from server import needs_the_bed, server

# What a gRPC server says first: an HTTP/2 SETTINGS frame.
SETTINGS = bytes.fromhex("000018040000000000000400400000")
OTHER_ADDRESS = "10.244.0.2"


class Listener:
    """Something on the head's port. `greet` is sent to who connects; None: silence."""

    def __init__(self, address, port, greet=None):
        self.socket = socket.create_server((address, port))
        self.greet = greet
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

    port = 6379

    def endpoints(self, address):
        kubectl("apply", "-f", "-", stdin={
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"namespace": self.namespace, "name": "head",
                         "labels": {"kubernetes.io/service-name": "head"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"name": "gcs", "port": self.port}]})

    def worker(self, environment=(), memory=None):
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
        wait.setdefault("env", []).extend(environment)
        if memory:
            wait["resources"]["limits"]["memory"] = wait["resources"]["requests"]["memory"] = memory
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

    def tls_variables(self):
        """A certificate for whatever address the head gets; the variables that make Ray use it."""
        pki = Run(os.environ["RAYFIX_BED"]).pki
        network = POD_NETWORK.rpartition(".")[0]
        credentials.sign(pki, "ray", "/CN=ray", "subjectAltName=IP:127.0.0.1," + ",".join(
            f"IP:{network}.{number}" for number in range(10, 255)))
        kubectl("create", "secret", "generic", "tls", "-n", self.namespace,
                *(f"--from-file={pki / name}" for name in ("ca.crt", "ray.crt", "ray.key")))
        return [{"name": name, "value": value} for name, value in (
            ("RAY_USE_TLS", "1"), ("RAY_TLS_CA_CERT", "/tls/ca.crt"),
            ("RAY_TLS_SERVER_CERT", "/tls/ray.crt"), ("RAY_TLS_SERVER_KEY", "/tls/ray.key"))]

    def test_with_tls_it_finds_the_real_gcs(self):
        """A TLS server is silent until the client speaks, so the shell form only connects."""
        variables = self.tls_variables()
        self.endpoints(NODE_ADDRESS)
        self.worker(variables)
        wait_until("it is refused", lambda: "Connection refused" in self.log(), 40)
        head = ray_pod(self.namespace, "head", "head", "exec ray start --head --num-cpus=0 --block"
                       f" --include-dashboard=false --port={self.port}", env=variables,
                       volumeMounts=[{"name": "tls", "mountPath": "/tls"}])
        head["spec"]["volumes"] = [{"name": "tls", "secret": {"secretName": "tls"}}]
        head = run_pod(head)
        address = get("pod", "head", self.namespace)["status"]["podIP"]
        self.endpoints(address)
        wait_until("the worker starts", self.is_started, 120)
        # The head's variables make this client speak TLS, too.
        check = f"timeout 60 ray health-check --address {address}:{self.port}"
        self.assertTrue(run_in(head, "bash", "-c", check, check=False).ok)

    def test_in_64_megabytes(self):
        """Where a policy gives init containers little: Ray's check is killed each time, rayfix's
        is not and finds the head."""
        self.endpoints(NODE_ADDRESS)
        server().off()
        self.addCleanup(server().on)
        pod = self.worker(memory="64Mi")
        identity = running_container(pod, "wait-gcs-ready")
        wait_until("the kernel kills it", lambda: memory_kills(identity) > 0, 120)
        record("wait-gcs", without={"with a limit of 64Mi": "`ray health-check` killed by the "
                                                            "kernel, try after try"})
        server().on()
        kubectl("delete", "pod", self.name, "-n", self.namespace, "--grace-period=1")
        pod = self.worker(memory="64Mi")
        wait_until("it is refused", lambda: "Connection refused" in self.log(), 40)
        self.assertEqual(memory_kills(running_container(pod, "wait-gcs-ready")), 0)
        self.listen(NODE_ADDRESS, self.port, SETTINGS)
        wait_until("the worker starts", self.is_started, 60)
        record("wait-gcs", **{"with": {"with a limit of 64Mi": "waits, and starts with the head"}})


if __name__ == "__main__":
    unittest.main()
