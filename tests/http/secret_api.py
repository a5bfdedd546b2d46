"""An API server with what certificates need: one Secret, two webhook configurations with
server-side apply, watches, Events; and rayfix servers that use it."""

import base64
import collections
import copy
import json
import os
import queue
import random
import re
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
import unittest

from server_process import PATIENCE, Load, Server, configuration, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cluster_api"))

from fake_api import FakeApi, status  # noqa: E402

NAMESPACE = "rayfix-system"
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/rayfix-certificates"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
CONFIGURATIONS = [f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}s/rayfix" for kind in KINDS]
NAME = f"rayfix.{NAMESPACE}.svc"


# Seconds are the grain of dates: renewed about every second.
FAST = {"settle": "2s", "resync": "250ms", "leafLifetime": "60s", "leafRenewBefore": "59.9s",
        "caLifetime": "120s", "caRenewBefore": "116s"}


def webhook(name):
    return {"name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"namespace": NAMESPACE, "name": "rayfix"}}}


class SecretApi(FakeApi):
    """`forbid` holds (method, part of the path) that are answered 403. `down` makes every
    connection end."""

    def __init__(self):
        super().__init__()
        self.forbid = set()
        self.events = []
        self.watchers = []
        self.bundles = {path: [] for path in CONFIGURATIONS}  # (time, PEM)
        self.applied = {}  # path: names of webhooks whose caBundle was applied last
        self.change_lock = threading.RLock()
        for path, kind in zip(CONFIGURATIONS, KINDS):
            self.put(path, kind=kind, webhooks=[webhook("a.rayfix.io"), webhook("b.rayfix.io")])

    # ---- for tests ----

    def secret(self):
        with self.lock:
            return copy.deepcopy(self.objects.get(SECRET))

    def value(self, key):
        return base64.b64decode((self.secret() or {}).get("data", {}).get(key, ""))

    def edit(self, change):
        """Changes the Secret as a person with kubectl does."""
        with self.change_lock:
            secret = self.secret()
            change(secret)
            self.put(SECRET, **secret)

    def edit_bundle(self, path, value, count=2):
        """Changes the bundles of the first `count` webhooks of a configuration."""
        with self.change_lock:
            with self.lock:
                found = copy.deepcopy(self.objects[path])
            for hook in found["webhooks"][:count]:
                hook["clientConfig"].pop("caBundle", None)
                if value:
                    hook["clientConfig"]["caBundle"] = base64.b64encode(value).decode()
            self.put(path, **found)

    def bundle(self, path=CONFIGURATIONS[0]):
        """What all webhooks of a configuration trust; None where they differ."""
        with self.lock:
            hooks = self.objects[path]["webhooks"]
            found = {hook["clientConfig"].get("caBundle", "") for hook in hooks}
        return base64.b64decode(found.pop()) if len(found) == 1 else None

    def trusted(self, lag):
        """A bundle that an API server may be using, whose caches are at most `lag` seconds old."""
        path = random.choice(CONFIGURATIONS)
        now = time.monotonic()
        with self.lock:
            versions = list(self.bundles[path])
        recent = [pem for i, (_, pem) in enumerate(versions)
                  if pem and (i + 1 == len(versions) or now - versions[i + 1][0] < lag)]
        return random.choice(recent or [pem for _, pem in versions if pem])

    def reasons(self):
        with self.lock:
            return collections.Counter(event["reason"] for event in self.events)

    # ---- the store ----

    def put(self, path, **fields):
        kept = super().put(path, **fields)
        if path in self.bundles:
            pem = self.bundle(path)
            with self.lock:
                if pem is not None and (not self.bundles[path] or
                                        self.bundles[path][-1][1] != pem):
                    self.bundles[path].append((time.monotonic(), pem))
        self.tell("MODIFIED", path, kept)
        return kept

    def remove(self, path):
        with self.lock:
            self.version += 1
            gone = self.objects.pop(path)
        self.tell("DELETED", path, gone)

    def tell(self, kind, path, obj):
        with self.lock:
            for where, waiting in self.watchers:
                if path.rsplit("/", 1)[0] == where:
                    waiting.put({"type": kind, "object": obj})

    def store(self, handler):
        method, path = handler.command, handler.url_path
        if any(method == verb and part in handler.path for verb, part in self.forbid):
            handler.send(403, status(403, "Forbidden", f"cannot {method} {path}"))
        elif method == "GET" and "watch" in handler.query:
            self.watch(handler, path)
        elif method == "POST" and path == EVENTS:
            with self.lock:
                self.events.append(json.loads(handler.body))
            handler.send(201, {"kind": "Event", "apiVersion": "v1"})
        elif method == "GET" and path.rsplit("/", 1)[1] != "secrets" and path not in self.objects \
                and any(p.startswith(path + "/") for p in self.objects):
            self.list(handler, [o for p, o in self.objects.items() if p.startswith(path + "/")])
        else:
            with self.change_lock:
                super().store(handler)

    def watch(self, handler, path):
        waiting = queue.Queue()
        with self.lock:
            self.watchers.append((path, waiting))
            missed = [(p, o) for p, o in self.objects.items() if p.rsplit("/", 1)[0] == path and
                      int(o["metadata"]["resourceVersion"]) > int(handler.query["resourceVersion"])]
        for _, obj in missed:
            waiting.put({"type": "MODIFIED", "object": obj})
        handler.begin_stream()
        try:
            while True:
                handler.write(json.dumps(waiting.get()).encode() + b"\n")
        finally:
            with self.lock:
                self.watchers.remove((path, waiting))

    def change(self, handler, path, found):
        if handler.command == "PATCH":
            self.apply(handler, path, found)
        else:
            super().change(handler, path, found)

    def apply(self, handler, path, found):
        """Server-side apply of caBundle as 1.36 does it: webhooks merge by name, and what was
        applied before and is left out now is removed."""
        assert handler.headers["Content-Type"] == "application/apply-patch+yaml"
        assert handler.query == {"fieldManager": "rayfix", "force": "true"}, handler.query
        body = json.loads(handler.body)
        version = body["metadata"].get("resourceVersion")
        if version != found["metadata"]["resourceVersion"]:
            handler.send(409, status(409, "Conflict", "the object has been modified"))
            return
        hooks = {hook["name"]: hook for hook in found["webhooks"]}
        for hook in body["webhooks"]:
            assert set(hook) == {"name", "clientConfig"} and set(hook["clientConfig"]) == {
                "caBundle"}, hook
            hooks[hook["name"]]["clientConfig"].update(hook["clientConfig"])
        names = {hook["name"] for hook in body["webhooks"]}
        for name in self.applied.get(path, set()) - names:
            hooks[name]["clientConfig"].pop("caBundle", None)
        self.applied[path] = names
        handler.send(200, self.put(path, **found))


class SecretServer(Server):
    """rayfix with certificates.source: secret. `ready=False`: it is not expected to become so."""

    def __init__(self, api, ready=True, lag=0.0, **certificates):
        self.api = api
        self.lag = lag
        self.expects_ready = ready
        folder = tempfile.mkdtemp(prefix="rayfix-secret-")
        account = os.path.join(folder, "account")
        os.mkdir(account)
        for name, content in (("token", "t" * 20), ("namespace", NAMESPACE)):
            with open(os.path.join(account, name), "w") as file:
                file.write(content)
        shutil.copy(api.certificate, os.path.join(account, "ca.crt"))
        section = {"source": "secret", "accountDir": account, "settle": "200ms", "resync": "1s"}
        section.update(certificates)
        os.environ["KUBERNETES_SERVICE_HOST"] = "127.0.0.1"
        os.environ["KUBERNETES_SERVICE_PORT"] = str(api.port)
        super().__init__(configuration(certificates=section), folder=folder)
        self.owns_folder = True

    def read_addresses(self):
        lines = [self.process.stdout.readline().decode() for _ in range(2)]
        match = [re.search(r"https?://127\.0\.0\.1:(\d+)\n", line) for line in lines]
        if not all(match):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"stdout {lines!r}, stderr: {self.stderr()}")
        self.port, self.health_port = (int(found.group(1)) for found in match)
        if self.expects_ready:
            wait_until(self.is_ready, "ready")

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"it has ended: {self.stderr()[-4000:]}")
        return self.get("/readyz")[0] == 200

    def why_not(self):
        return self.get("/readyz")[2]

    def context(self):
        """What an API server trusts."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.api.trusted(self.lag).decode())
        return context

    def connect(self, context=None):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        try:
            return (context or self.context()).wrap_socket(raw, server_hostname=NAME)
        except BaseException:
            raw.close()
            raise

    def client(self, context=None):
        try:
            return super().client(context)
        except ssl.SSLCertVerificationError as error:
            raise ConnectionError(str(error)) from error  # what a load notes

    def serial(self):
        with self.connect() as sock:
            return sock.getpeercert()["serialNumber"]

    def rotations(self, result):
        return self.metrics()[f'rayfix_certificate_rotations_total{{result="{result}"}}']


def all_quiet(api, *servers):
    """One CA, in both bundles and the Secret, and one leaf that every replica serves."""
    wait_until(lambda: api.value("ca.crt") and not api.value("next-ca.key") and
               all(api.bundle(path) == api.value("ca.crt") for path in CONFIGURATIONS),
               "bundles as the Secret says")
    wait_until(lambda: len({server.serial() for server in servers}) == 1,
               "the same leaf everywhere")


def check_keeps_secrets(test, api, *servers):
    keys = [api.value(name).decode().split("\n")[1][10:50] for name in ("tls.key", "ca.key")]
    encoded = [base64.b64encode(api.value(name)).decode()[200:240]
               for name in ("tls.key", "ca.key")]
    for server in servers:
        text = server.stderr() + str(api.events)
        for word in ["t" * 20, *keys, *encoded]:
            test.assertNotIn(word, text)


class Case(unittest.TestCase):
    def setUp(self):
        self.api = SecretApi()
        self.addCleanup(shutil.rmtree, self.api.folder)
        self.addCleanup(lambda: self.api.stop())

    def all_quiet(self, *servers):
        all_quiet(self.api, *servers)

    def keeps_secrets(self, *servers):
        check_keeps_secrets(self, self.api, *servers)


class ApiLoad(Load):
    """Calls as an API server makes them: each new connection trusts what it knows then."""

    @property
    def context(self):
        return self.server.context()

    @context.setter
    def context(self, _):
        pass

    def run(self):
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - a thread's exceptions go nowhere else
            self.note(f"load: {error!r}")
