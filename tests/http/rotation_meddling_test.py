"""Certificates in a Secret: what people do to it, and what they do not allow."""

import base64
import os
import shutil
import tempfile
import time
import unittest

import reload_test
from secret_api import CONFIGURATIONS, SECRET, ApiLoad, Case, SecretApi, SecretServer
from server_process import main, wait_until


class MeddlingTest(Case):
    def setUp(self):
        super().setUp()
        self.server = SecretServer(self.api, lag=0.2, settle="1s").__enter__()
        self.addCleanup(lambda: self.server.__exit__(None, None, None))
        self.all_quiet(self.server)

    def under_load(self, meddle, condition, what):
        with ApiLoad(self.server, clients=2, keep_alive=False) as load:
            meddle()
            wait_until(condition, what)
            self.all_quiet(self.server)
        self.assertEqual(load.problems, [])

    def told(self, text, reason="CertificateReplaced"):
        """An Event is written after what it tells of."""
        wait_until(lambda: any(event["reason"] == reason and text in event["message"]
                               for event in self.api.events), f"{reason}: {text}")

    def test_secret_deleted(self):
        before = self.api.value("ca.key")
        self.under_load(lambda: self.api.remove(SECRET),
                        lambda: self.api.value("ca.key") not in (before, b""), "another CA")
        wait_until(lambda: self.api.reasons()["CAChanged"] == 1, "the Event of the CA")
        self.assertEqual(self.api.reasons()["CertificateRestored"], 1)

    def test_bundle_emptied_or_garbage(self):
        wanted = self.api.value("ca.crt")
        for value in (None, b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n"):
            for path in CONFIGURATIONS:
                self.api.edit_bundle(path, value)
                wait_until(lambda: self.api.bundle(path) == wanted, "the bundle")
        wait_until(lambda: self.api.reasons()["CABundleRestored"] == 6, "the Events")

    def test_one_of_two_bundles_emptied(self):
        wanted = self.api.value("ca.crt")
        self.api.edit_bundle(CONFIGURATIONS[0], None, count=1)
        wait_until(lambda: self.api.bundle() == wanted, "the bundle")
        time.sleep(1.5)  # longer than resync: it stays so
        self.assertEqual(self.api.bundle(), wanted)
        self.assertEqual(self.api.reasons()["CABundleRestored"], 1)

    def test_stranger_in_the_bundle(self):
        wanted = self.api.value("ca.crt")
        with open(self.api.certificate, "rb") as file:
            self.api.edit_bundle(CONFIGURATIONS[0], wanted + file.read())
        wait_until(lambda: self.api.bundle() == wanted, "the stranger to be gone")

    def test_webhooks_come_later(self):
        found = self.api.objects[CONFIGURATIONS[1]]
        self.api.remove(CONFIGURATIONS[1])
        time.sleep(0.3)
        for hook in found["webhooks"]:
            hook["clientConfig"].pop("caBundle")
        self.api.put(CONFIGURATIONS[1], **found)
        self.all_quiet(self.server)

    def test_garbage_in_every_key(self):
        for key in ("tls.crt", "tls.key", "ca.crt", "ca.key", "next-ca.key"):
            for garbage in (b"garbage", b""):
                if key == "next-ca.key" and not garbage:
                    continue
                with self.subTest(key=key, garbage=garbage):
                    def spoil(secret):
                        secret["data"][key] = base64.b64encode(garbage).decode()
                    self.under_load(
                        lambda: self.api.edit(spoil),
                        lambda: self.api.value(key) not in (garbage,) or
                        not self.api.value(key) and key == "next-ca.key", f"{key} is mended")
        wait_until(lambda: self.api.reasons()["CertificateReplaced"] >= 5, "the Events")
        self.told("tls.key")
        self.keeps_secrets(self.server)

    def test_half_a_pair(self):
        folder = tempfile.mkdtemp(prefix="rayfix-other-")
        self.addCleanup(shutil.rmtree, folder)
        reload_test.issue(folder)
        with open(os.path.join(folder, "tls.key"), "rb") as file:
            other = file.read()

        def spoil(secret):
            secret["data"]["tls.key"] = base64.b64encode(other).decode()
        self.under_load(lambda: self.api.edit(spoil), lambda: self.api.value("tls.key") != other,
                        "the pair is whole")
        self.told("does not belong")

    def test_expired(self):
        old = SecretApi()
        self.addCleanup(shutil.rmtree, old.folder)
        self.addCleanup(old.stop)
        with SecretServer(old, leafLifetime="2s"):
            expired = old.secret()["data"]
        time.sleep(3.5)

        def put_back(secret):
            secret["data"] = expired
        self.under_load(lambda: self.api.edit(put_back),
                        lambda: self.api.value("tls.crt") and
                        self.api.secret()["data"]["tls.crt"] != expired["tls.crt"], "a new one")
        self.told("certificate Secret replaced: tls.crt: expired on")

    def test_without_the_key_of_the_ca(self):
        self.api.edit(lambda secret: secret["data"].pop("ca.key"))
        self.told("replaced: no ca.key")
        self.all_quiet(self.server)

    def test_foreign_secret(self):
        serial = self.server.serial()

        def disown(secret):
            del secret["metadata"]["labels"]
        self.api.edit(disown)
        found = self.api.secret()
        wait_until(lambda: self.api.reasons()["CertificateRefused"] == 1, "the refusal")
        with SecretServer(self.api, ready=False) as second:
            wait_until(lambda: "managed-by" in second.why_not(), "the reason")
            self.assertTrue(self.server.is_ready())
            self.assertEqual(self.server.serial(), serial)
            self.assertEqual(self.api.secret(), found)
            self.api.remove(SECRET)
            wait_until(second.is_ready, "ready")
            self.all_quiet(self.server, second)

    def test_secret_of_another_cluster(self):
        before = self.api.value("ca.key")

        def copied(secret):
            secret["metadata"]["annotations"]["rayfix.io/cluster-uid"] = "another"
        self.under_load(lambda: self.api.edit(copied),
                        lambda: self.api.value("ca.key") not in (before, b""), "another CA")

    def test_another_cluster_answers(self):
        self.api.uid = "99999999-8888-7777-6666-555555555555"
        found = self.api.secret()
        time.sleep(5.5)  # for so long an identity is believed (cluster/identity.h)
        self.api.edit_bundle(CONFIGURATIONS[0], None)
        wait_until(lambda: "99999999" in self.server.stderr(), "the refusal to write")
        self.assertEqual(self.api.secret(), found)
        self.assertEqual(self.api.bundle(), b"")
        self.assertTrue(self.server.is_ready())


class PermissionTest(Case):
    def said(self, server, *words):
        wait_until(lambda: all(word in server.stderr() for word in words), words)

    def test_may_not_create(self):
        self.api.forbid.add(("POST", "/secrets"))
        with SecretServer(self.api, ready=False) as server:
            self.said(server, "create secrets", "403")
            wait_until(lambda: "could not be created: create secrets" in server.why_not(),
                       "the reason")
            self.api.forbid.clear()
            wait_until(server.is_ready, "ready")

    def test_may_not_read(self):
        self.api.forbid.add(("GET", "/secrets"))
        with SecretServer(self.api, ready=False) as server:
            wait_until(lambda: "get secrets/rayfix-certificates" in server.why_not(), "the reason")

    def test_may_not_update(self):
        with SecretServer(self.api, leafLifetime="60s", leafRenewBefore="57s",
                          resync="250ms") as server:
            serial = server.serial()
            self.api.forbid.add(("PUT", "/secrets"))
            self.said(server, "update secrets/rayfix-certificates")
            self.assertTrue(server.is_ready())
            self.api.forbid.clear()
            wait_until(lambda: server.serial() != serial, "a new leaf")

    def test_may_not_write_bundles(self):
        self.api.forbid.add(("PATCH", "webhookconfigurations"))
        with SecretServer(self.api) as server:
            self.said(server, "apply mutatingwebhookconfigurations/rayfix")
            self.assertEqual(server.metrics()["rayfix_ca_bundle_in_sync"], 0)
            self.api.forbid.clear()
            self.all_quiet(server)

    def test_may_not_read_bundles(self):
        self.api.forbid.add(("GET", "webhookconfigurations"))
        with SecretServer(self.api) as server:
            self.said(server, "get mutatingwebhookconfigurations/rayfix",
                      "get validatingwebhookconfigurations/rayfix")

    def test_the_ca_stays_while_one_bundle_may_not_be_read(self):
        with SecretServer(self.api) as server:
            self.all_quiet(server)
        before = self.api.value("ca.key")
        self.api.forbid.add(("GET", CONFIGURATIONS[1]))
        # The CA that is there is due.
        with SecretServer(self.api, caRenewBefore="8759h") as server:
            wait_until(lambda: self.api.value("next-ca.key"), "a next CA")
            time.sleep(2)  # longer than settle and resync
            self.assertEqual(self.api.value("ca.key"), before, "it waits")
            self.api.forbid.clear()
            wait_until(lambda: self.api.value("ca.key") != before, "the next CA signs")

    def test_each_watch_that_is_forbidden_is_named(self):
        self.api.forbid.add(("GET", "watch=1"))
        with SecretServer(self.api) as server:
            self.said(server, "watch secrets", "watch mutatingwebhookconfigurations",
                      "watch validatingwebhookconfigurations")
            self.assertNotIn("is over", server.stderr())
            self.api.forbid.clear()
            wait_until(lambda: server.stderr().count("is over") == 3, "that it is over")

    def test_may_not_write_events_or_watch(self):
        self.api.forbid.update({("POST", "/events"), ("GET", "fieldSelector")})
        with SecretServer(self.api) as server:
            self.said(server, "create events", "list")
            self.api.remove(SECRET)
            wait_until(lambda: self.api.secret(), "the Secret, found missing by looking")

    def test_may_not_read_identity(self):
        self.api.identity = lambda handler: handler.send(403, {"kind": "Status"})
        with SecretServer(self.api, ready=False) as server:
            self.said(server, "namespaces/kube-system")
            wait_until(lambda: "namespaces/kube-system" in server.why_not(), "the reason")
            self.assertIsNone(self.api.secret())


if __name__ == "__main__":
    main()
