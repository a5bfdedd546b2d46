"""Runs `rayfix serve` as a process on loopback ports, and talks to it."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

RAYFIX = os.environ["RAYFIX"]
SANITIZED = os.environ.get("SANITIZE", "") != ""

# Nothing here measures speed: this only ends a test whose server hangs.
PATIENCE = 60


def merge(into, more):
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


def configuration(**sections):
    """A configuration for a test: loopback, short waits; `sections` win."""
    return merge({
        "apiVersion": "rayfix.io/v1alpha1",
        "kind": "Configuration",
        "server": {"bindAddress": "127.0.0.1:0", "healthBindAddress": "127.0.0.1:0", "threads": 2},
        "tls": {"reloadInterval": "20ms"},
        "shutdown": {"delay": "0s", "timeout": "10s"},
        "log": {"level": "debug"},
    }, sections)


def write_configuration(path, sections):
    # JSON is YAML. Renamed into place, so that the server never reads half a file.
    with open(path + ".new", "w") as file:
        json.dump(sections, file, indent=1)
    os.replace(path + ".new", path)


class Server:
    """A running server. Use as a context manager: it must stop cleanly at the end."""

    def __init__(self, config=None, args=(), preexec=None, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="rayfix-http-")
        self.owns_folder = folder is None
        self.cert_dir = os.path.join(self.folder, "certs")
        self.config_path = os.path.join(self.folder, "config.yaml")
        if config is None:
            config = configuration()
        config.setdefault("tls", {}).setdefault("certDir", self.cert_dir)
        self.config = config
        write_configuration(self.config_path, config)
        self.stderr_path = os.path.join(self.folder, "stderr")
        self.expected_code = 0
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                [RAYFIX, "serve", "--config", self.config_path, *args],
                stdout=subprocess.PIPE, stderr=stderr, preexec_fn=preexec)
        self.read_addresses()

    def read_addresses(self):
        lines = [self.process.stdout.readline().decode() for _ in range(3)]
        match = [re.fullmatch(form, line) for form, line in zip(
            (r"rayfix: serving https://127\.0\.0\.1:(\d+)\n",
             r"rayfix: health http://127\.0\.0\.1:(\d+)\n", r"rayfix: ready\n"), lines)]
        if not all(match):
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            raise AssertionError(f"stdout {lines!r}, stderr: {self.stderr()}")
        self.port = int(match[0].group(1))
        self.health_port = int(match[1].group(1))

    def stderr(self):
        with open(self.stderr_path, "rb") as file:
            return file.read().decode()

    def log(self):
        return [json.loads(line) for line in self.stderr().splitlines() if line.startswith("{")]

    def decisions(self):
        return [line for line in self.log() if "uid" in line]

    def wait_for_log(self, message, count=1):
        wait_until(lambda: sum(line["msg"] == message for line in self.log()) >= count,
                   f"log line {message!r}")

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(os.path.join(self.cert_dir, "ca.crt"))
        return context

    def connect(self, context=None):
        """A TLS connection."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return (context or self.context()).wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise

    def client(self, context=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.sock = self.connect(context)
        connection.auto_open = 0
        return connection

    def post(self, body, path="/mutate", headers=None, client=None):
        """Posts a body; (status, headers, body) of the answer."""
        own = client or self.client()
        all_headers = {"Content-Type": "application/json"}
        all_headers.update(headers or {})
        own.request("POST", path, body=body, headers=all_headers)
        answer = own.getresponse()
        result = (answer.status, answer.headers, answer.read())
        if client is None:
            own.close()
        return result

    def kubelet(self):
        """A connection as the kubelet makes it for a probe by TLS: it shows no certificate and does
        not look at ours."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return self.client(context)

    def get(self, path, method="GET", tls=False, body=None):
        """From the plain port, or as a probe by TLS."""
        connection = self.kubelet() if tls else http.client.HTTPConnection(
            "127.0.0.1", self.health_port, timeout=PATIENCE)
        connection.request(method, path, body)
        answer = connection.getresponse()
        result = (answer.status, answer.headers, answer.read().decode())
        connection.close()
        return result

    def metrics(self):
        """Samples by name with labels, as text."""
        text = self.get("/metrics")[2]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in text.splitlines() if not line.startswith("#")}

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        return self.process.wait(timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if self.process.poll() is None:
            self.terminate()
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        stderr = self.stderr()
        if self.owns_folder:
            shutil.rmtree(self.folder)
        if kind is None and code != self.expected_code:
            raise AssertionError(f"exit code {code}, stderr: {stderr[-4000:]}")
        if "Sanitizer" in stderr or "runtime error:" in stderr:
            raise AssertionError(stderr[-8000:])


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never seen: {what}")
        time.sleep(0.01)


def worker_pod(**metadata):
    """A small Ray worker pod, as KubeRay makes it."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "rc-worker-small-", "namespace": "ray",
                     "labels": {"ray.io/node-type": "worker", "ray.io/cluster": "rc",
                                "ray.io/is-ray-node": "yes"}, **metadata},
        "spec": {"containers": [{
            "name": "ray-worker", "image": "rayproject/ray:2.9.0",
            "command": ["/bin/bash", "-c", "--"], "args": ["ulimit -n 65536; ray start --block"],
            "env": [{"name": "FQ_RAY_IP", "value": "rc-head-svc.ray.svc.cluster.local"},
                    {"name": "SECRET", "value": "env-value-that-must-not-be-logged"}],
            "resources": {"limits": {"cpu": "1", "memory": "2Gi"}}}]}}


def review(obj=None, uid="11111111-2222-3333-4444-555555555555", operation="CREATE", **request):
    """An AdmissionReview with the order of keys that the API server writes."""
    pod = {"group": "", "version": "v1", "kind": "Pod"}
    return {
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": uid, "kind": pod, "resource": {"group": "", "version": "v1",
                                                          "resource": "pods"},
                    "requestKind": pod, "namespace": "ray", "operation": operation,
                    "userInfo": {"username": "tester"},
                    "object": worker_pod() if obj is None else obj, "dryRun": False, **request}}


def encoded(value):
    return json.dumps(value).encode()


class Load:
    """Clients that post without pause and note whatever goes wrong. An answer 503 with Retry-After
    is asked again, as the API server does (protocol §1.5); a refused connection ends a client that
    has been told so by `may_end`, for the server is gone then."""

    def __init__(self, server, clients=4, keep_alive=True, context=None):
        self.server = server
        self.keep_alive = keep_alive
        self.context = context or server.context()
        self.problems = []
        self.answered = 0
        self.may_end = False
        self.stopping = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        body = encoded(review())
        client = None
        while not self.stopping:
            if client is None:
                try:
                    client = self.server.client(self.context)
                except (ConnectionError, ssl.SSLEOFError) as error:
                    self.note(None if self.may_end else f"connect: {error!r}")
                    return
            try:
                status, headers, answer = self.server.post(body, client=client)
            except Exception as error:  # noqa: BLE001 - whatever it is, a request was lost
                self.note(f"request: {error!r}")
                return
            retry = status == 503 and "Retry-After" in headers
            if not retry and (status != 200 or b'"allowed":true' not in answer):
                self.note(f"{status} {answer[:200]!r}")
                return
            with self.lock:
                self.answered += not retry
            if headers.get("Connection") == "close" or not self.keep_alive:
                client.close()
                client = None
        if client is not None:
            client.close()

    def note(self, problem):
        if problem is not None:
            with self.lock:
                self.problems.append(problem)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.answered > 10 or self.problems, "the first answers")
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join()


def main():
    unittest.main(verbosity=2)
