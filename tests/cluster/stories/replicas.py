"""What each replica of an installed rayfix shows, and whether all agree."""

import base64
import calendar
import http.client
import json
import os
import re
import signal
import socket
import ssl
import time
from pathlib import Path

from bed.components import import_image
from installed import (INSTALL, NAMESPACE, POD, bring_back, bring_image, bundles, make_image,
                       replicas, send_away, uninstall)
from kube import Story, get_all, kubectl, wait_until
from server import server

SERVICE = "rayfix.rayfix-system.svc"
SECRET = "rayfix-certificates"
WEBHOOKS = "mutatingwebhookconfiguration", "validatingwebhookconfiguration"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
ROTATIONS = re.compile(r'^rayfix_certificate_rotations_total{result="(.*?)"} (\d+)',
                       re.MULTILINE)
REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
    "uid": "a-story", "operation": "CREATE", "namespace": "default", "name": "probe",
    "kind": {"group": "", "version": "v1", "kind": "Pod"},
    "resource": {"group": "", "version": "v1", "resource": "pods"},
    "userInfo": {"username": "a-story"}, "object": POD}}
FAKE_TIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def apply_with(certificates, count=2):
    """install.yaml with settings of the certificates and so many replicas."""
    text = INSTALL.read_text()
    for old, new in (("certificates: {source: secret}",
                      f"certificates: {{source: secret, {certificates}}}"),
                     ("replicas: 2", f"replicas: {count}")):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    kubectl("apply", "-f", "-", stdin=text)


class Installed(Story):
    """The image is there and nothing is installed; afterwards all is as before."""

    def setUp(self):
        super().setUp()
        bring_image()
        send_away()
        self.addCleanup(bring_back)
        self.addCleanup(uninstall)
        self.addCleanup(kill_all)  # an end in order takes half a minute, and is told elsewhere

    def wait_agreement(self, count=2, seconds=90):
        """Until all replicas have the same certificate of the same CA."""
        last = None

        def agree():
            nonlocal last
            last = disagreement(count)
            return last is None
        try:
            wait_until("agreement", agree, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {last}") from None

    def from_nothing(self):
        """No replica, no Secret, no bundle."""
        kill_all()
        kubectl("delete", "secret", SECRET, "-n", NAMESPACE, "--ignore-not-found")
        empty_bundles()


def processes():
    """The processes of rayfix that run in containers."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_text() == "rayfix\n" and \
                    f"/{server().run.cgroup}/" in (entry / "cgroup").read_text():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended
    return found


def are_gone(uids):
    """A pod that is deleted by force goes at once. As long as the kubelet does not know, it starts
    again what is killed; it is done when the pod's folder is gone."""
    for pid in processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    folder = server().run.data / "kubelet" / "pods"
    return not processes() and not any((folder / uid).exists() for uid in uids)


def scale(number, deployment="rayfix"):
    kubectl("scale", f"deployment/{deployment}", "-n", NAMESPACE, f"--replicas={number}")


def kill_all():
    """No replica runs, none comes."""
    for deployment in kubectl("get", "deployments", "-n", NAMESPACE, "-o", "name").out.split():
        scale(0, deployment.partition("/")[2])
    # Sooner, and their ReplicaSet would replace them.
    wait_until("the replicas are told to end", lambda: not replicas())
    uids = [pod["metadata"]["uid"] for pod in get_all("pods", NAMESPACE)]
    kubectl("delete", "pods", "--all", "-n", NAMESPACE, "--grace-period=0", "--force",
            "--wait=false")
    wait_until("the kubelet has ended them", lambda: are_gone(uids), 60)


def empty_bundles():
    for kind in WEBHOOKS:
        hooks = kubectl("get", kind, "rayfix", "-o", "json").json()["webhooks"]
        changes = [{"op": "remove", "path": f"/webhooks/{number}/clientConfig/caBundle"}
                   for number, hook in enumerate(hooks) if hook["clientConfig"].get("caBundle")]
        kubectl("patch", kind, "rayfix", "--type=json", "-p", json.dumps(changes))


def secret():
    """What is in the Secret as text, or None."""
    found = kubectl("get", "secret", SECRET, "-n", NAMESPACE, "-o", "json", check=False)
    if not found.ok:
        return None
    return {name: base64.b64decode(value).decode()
            for name, value in found.json()["data"].items()}


def cas(pem):
    return set(PEM.findall(pem))


def trusted():
    """The CAs of every caBundle."""
    return [cas(base64.b64decode(bundle).decode()) for bundle in bundles()]


class Replica:
    """A replica, asked at its own address as the API server would."""

    def __init__(self, pod, ca):
        self.address = pod["status"]["podIP"]
        self.context = ssl.create_default_context(cadata=ca)

    def connect(self):
        plain = socket.create_connection((self.address, 9443), timeout=5)
        return self.context.wrap_socket(plain, server_hostname=SERVICE)

    def leaf(self):
        with self.connect() as connection:
            return ssl.DER_cert_to_PEM_cert(connection.getpeercert(True)).strip()

    def fixes(self):
        """Whether it answers a review of a Ray pod with a patch."""
        connection = http.client.HTTPConnection(self.address)
        connection.sock = self.connect()
        connection.request("POST", "/mutate?timeout=5s", json.dumps(REVIEW),
                           {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())["response"]
        connection.close()
        return answer["allowed"] and "patch" in answer


def ask(pod, path):
    """What a replica tells on its second port; nothing while it does not listen."""
    if not pod["status"].get("podIP"):
        return ""
    connection = http.client.HTTPConnection(pod["status"]["podIP"], 8080, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        connection.close()


def readiness(pod):
    return ask(pod, "/readyz?verbose")


def rotations(pod):
    """{result: how often} of the changes that a replica has made of the Secret."""
    found = ROTATIONS.findall(ask(pod, "/metrics"))
    return {result: int(count) for result, count in found if count != "0"}


def disagreement(count=2):
    """Why not all have the same: one leaf of one CA, which is in ca.crt and every caBundle."""
    stored = secret()
    if not stored or not stored.get("tls.crt"):
        return "no certificate in the Secret"
    if "next-ca.key" in stored:
        return "the CA is being changed"
    wrong = [bundle for bundle in trusted() if bundle != cas(stored["ca.crt"])]
    if wrong:
        return f"{len(wrong)} bundles differ from ca.crt"
    found = [pod for pod in replicas() if pod["status"].get("podIP")]
    try:
        leaves = {Replica(pod, stored["ca.crt"]).leaf() for pod in found}
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    if len(found) != count or leaves != cas(stored["tls.crt"]):
        return f"{len(found)} replicas serve {len(leaves)} certificates"
    return None


def hours_off(pod):
    """How far its clock is off, as its log tells."""
    last = kubectl("logs", pod["metadata"]["name"], "-n", NAMESPACE, "--tail=1").json()["time"]
    seen = calendar.timegm(time.strptime(last.partition(".")[0], "%Y-%m-%dT%H:%M:%S"))
    return round((seen - time.time()) / 3600, 1)


def bring_image_with_clock(name, shift):
    """An image whose program sees another time: "-1h"."""
    path = server().run.data / "rayfix-clock.tar"
    # Durations stay what they are: only the clock on the wall is wrong.
    make_image(path, name, FAKE_TIME, [f"FAKETIME={shift}", "FAKETIME_DONT_FAKE_MONOTONIC=1"])
    import_image(server().run, path)
