"""Somebody puts something else into the Secret of the certificates while rayfix is called."""

import base64
import datetime
import json
import re
import subprocess
import unittest

from account import logs, page
from calls import Calls
from installed import (INSTALL, NAMESPACE, POD, bring_back, bring_image, is_mutated, is_ready,
                       replicas, send_away, uninstall, wait_replicas)
from kube import kubectl, wait_until
from proof import record
from server import needs_the_bed, server

PODS = "/api/v1/namespaces/default/pods"
SECRET = "rayfix-certificates"
LABEL = "app.kubernetes.io/managed-by"
SERVICE = f"rayfix.{NAMESPACE}"
NAMES = ("rayfix", SERVICE, f"{SERVICE}.svc", f"{SERVICE}.svc.cluster.local")


def secret():
    return kubectl("get", "secret", SECRET, "-n", NAMESPACE, "-o", "json").json()


def put(values, labels=None):
    """Changes the Secret as a person does."""
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    kubectl("patch", "secret", SECRET, "-n", NAMESPACE, "--type=merge", "-p",
            json.dumps({"metadata": {"labels": labels or {}}, "data": data}))


def events(reason):
    found = kubectl("get", "events", "-n", NAMESPACE, "-o", "json").json()["items"]
    return [event["message"] for event in found if event["reason"] == reason]


def another(folder):
    """A certificate for the same names by another CA; its files."""
    names = [part for name in NAMES for part in ("--dns-name", name)]
    subprocess.run([server().program, "certs", "issue", "--cert-dir", folder, *names], check=True,
                   capture_output=True)
    return {name: (folder / name).read_bytes() for name in ("tls.crt", "tls.key", "ca.crt")}


def minutes_ago(minutes):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes)
    return then.strftime("%Y%m%d%H%M%SZ")


def expired(folder, stored):
    """A certificate by rayfix's own CA, which began an hour ago, whose time is over."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    for name in ("ca.crt", "ca.key"):
        (folder / name).write_bytes(base64.b64decode(stored[name]))
    names = ",".join(f"DNS:{name}" for name in NAMES)
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index\nserial=serial\nnew_certs_dir=.\npolicy=p\n"
        f"[p]\ncommonName=supplied\n[e]\nextendedKeyUsage=serverAuth\nsubjectAltName={names}\n")
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "old.key", "-subj", "/CN=rayfix", "-out", "old.csr")
    openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-extensions", "e", "-md", "sha256",
            "-cert", "ca.crt", "-keyfile", "ca.key", "-in", "old.csr", "-out", "old.crt",
            "-startdate", minutes_ago(50), "-enddate", minutes_ago(10))
    return {"tls.crt": (folder / "old.crt").read_bytes(),
            "tls.key": (folder / "old.key").read_bytes()}


@needs_the_bed
class BadSecret(unittest.TestCase):

    def setUp(self):
        bring_image()
        send_away()
        self.addCleanup(bring_back)
        self.addCleanup(uninstall)
        # A change of the CA takes so long; a minute by default.
        text = INSTALL.read_text()
        quick = text.replace("{source: secret}", "{source: secret, settle: 3s}")
        self.assertNotEqual(text, quick)
        kubectl("apply", "-f", "-", stdin=quick)
        wait_replicas()
        wait_until("a Ray pod mutated", is_mutated, 60)
        self.folder = server().run.data / "another-ca"
        self.folder.mkdir()

    def test_what_is_ours_is_replaced_and_what_is_not_is_refused(self):
        with Calls(server().run, PODS, POD, a_second=10, threads=2) as calls:
            other = another(self.folder)
            self.replaced(r"tls\.crt: no certificate", {"tls.crt": b"garbage"})
            self.replaced(r"tls\.key does not belong", {"tls.key": other["tls.key"]})
            self.replaced(r"tls\.crt: expired on", expired(self.folder, secret()["data"]))
            self.replaced(r"tls\.crt: does not chain up to ca\.crt", {
                "tls.crt": other["tls.crt"], "tls.key": other["tls.key"]})
            self.replaced(r"no ca\.key", {**other, "ca.key": b""})
            self.refused()
        record("bad secret", **{"calls": calls.made, "failed": len(calls.failed),
                                "failed open": calls.fails_open})
        self.assertEqual(calls.failed, [])
        self.assertEqual(calls.fails_open, 0)

    def replaced(self, reason, values):
        put(values)
        said = wait_until(f"an Event: {reason}", lambda: next(
            (text for text in events("CertificateReplaced") if re.search(reason, text)), None))
        wait_until(f"a log line: {reason}", lambda: re.search(
            f"certificate Secret replaced.*{reason}", logs()))
        record("bad secret", **{reason.replace("\\", ""): said})
        wait_until("a whole Secret", lambda: is_whole(secret()), 60)
        wait_replicas()

    def refused(self):
        """Not ours without the label: nothing is written, and a new replica has to wait."""
        put({"tls.crt": b"garbage"}, {LABEL: None})
        before = secret()["metadata"]["resourceVersion"]
        wait_until("an Event", lambda: events("CertificateRefused"))
        wait_until("a log line", lambda: "is not ours" in logs())
        old = replicas()
        kubectl("delete", "pod", old[0]["metadata"]["name"], "-n", NAMESPACE, "--wait=false")
        new = wait_until("a new replica that runs", lambda: next(
            (pod for pod in replicas() if pod["status"]["phase"] == "Running" and
             pod["metadata"]["name"] not in [one["metadata"]["name"] for one in old]), None), 60)
        reason = wait_until("its reason", lambda: next(iter(re.findall(
            "failed: (.*is not ours.*)", page(new, "/readyz?verbose"))), None))
        record("bad secret", **{"foreign": reason})
        self.assertEqual(page(new, "/livez"), "ok")
        self.assertFalse(is_ready(new))
        self.assertEqual(secret()["metadata"]["resourceVersion"], before, "nothing is written")
        kubectl("label", "secret", SECRET, "-n", NAMESPACE, f"{LABEL}=rayfix")
        for pod in wait_replicas():
            self.assertEqual(pod["status"]["containerStatuses"][0]["restartCount"], 0)


def is_whole(stored):
    """One CA signs, and no change is under way."""
    return b"CERTIFICATE" in base64.b64decode(stored["data"]["tls.crt"]) and (
        "ca.key" in stored["data"] and "next-ca.key" not in stored["data"])
