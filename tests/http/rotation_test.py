"""Certificates in a Secret: replicas of rayfix with an API server that is played."""

import os
import shutil
import ssl
import subprocess
import tempfile
import time
import unittest

import reload_test
from secret_api import CONFIGURATIONS, FAST, SECRET, Case, SecretServer
from server_process import Server, configuration, main, wait_until, write_configuration


class BeginTest(Case):
    def test_first_and_second_replica(self):
        with SecretServer(self.api) as first:
            self.all_quiet(first)
            secret = self.api.secret()
            self.assertEqual(secret["type"], "kubernetes.io/tls")
            self.assertEqual(sorted(secret["data"]), ["ca.crt", "ca.key", "tls.crt", "tls.key"])
            self.assertEqual(secret["metadata"]["labels"]["app.kubernetes.io/managed-by"], "rayfix")
            self.assertEqual(secret["metadata"]["annotations"]["rayfix.io/cluster-uid"],
                             self.api.uid)
            with SecretServer(self.api) as second:
                self.all_quiet(first, second)
                self.assertEqual(self.api.secret(), secret)
                wait_until(self.api.reasons, "the Event, which is written after the Secret")
                self.assertEqual(self.api.reasons(), {"CertificateCreated": 1})
                self.keeps_secrets(first, second)
                wait_until(lambda: second.metrics()["rayfix_ca_bundle_in_sync"] == 1, "in sync")

    def test_at_the_same_instant(self):
        for _ in range(5):
            with self.api.lock:
                self.api.objects.pop(SECRET, None)
            for path in CONFIGURATIONS:
                self.api.edit_bundle(path, None)
            with SecretServer(self.api, ready=False) as first, \
                    SecretServer(self.api, ready=False) as second:
                wait_until(lambda: first.is_ready() and second.is_ready(), "both ready")
                self.all_quiet(first, second)
                self.assertEqual(self.api.value("ca.crt").count(b"BEGIN"), 1)

    def test_restart_with_what_is_there(self):
        with SecretServer(self.api) as server:
            serial = server.serial()
        with SecretServer(self.api) as server:
            self.assertEqual(server.serial(), serial)

    def test_api_away_at_start(self):
        self.api.stop()
        with SecretServer(self.api, ready=False) as server:
            wait_until(lambda: "127.0.0.1" in server.why_not(), "the reason")
            self.assertEqual(server.get("/livez")[0], 200)
            time.sleep(2)
            self.assertEqual(server.stderr().count("a problem"), 1, server.stderr())
            self.api.start()
            wait_until(server.is_ready, "ready")
            self.all_quiet(server)

    def test_no_service_account(self):
        with SecretServer(self.api, ready=False, accountDir="/nowhere") as server:
            wait_until(lambda: "/nowhere" in server.why_not(), "the reason")

    def test_stops_at_once(self):
        self.api.next(*[lambda handler: time.sleep(30)] * 3)
        server = SecretServer(self.api, ready=False)
        with server:
            wait_until(lambda: self.api.seen(), "a call that hangs")
            start = time.monotonic()
            server.terminate()
            server.wait()
            self.assertLess(time.monotonic() - start, 5)


class RotationTest(Case):
    def test_api_away_later(self):
        with SecretServer(self.api, **{**FAST, "leafLifetime": "20s", "leafRenewBefore": "18s"}) \
                as server:
            self.all_quiet(server)
            serial = server.serial()
            self.api.stop()
            wait_until(lambda: "a problem" in server.stderr(), "the problem")
            time.sleep(3)
            self.assertTrue(server.is_ready())
            self.assertEqual(server.serial(), serial)
            self.assertLess(server.stderr().count("a problem"), 4)
            self.api.start()
            wait_until(lambda: server.serial() != serial, "a new leaf")

    def test_client_ca_file_is_read_again(self):
        with SecretServer(self.api) as server:
            self.all_quiet(server)
            path = os.path.join(server.folder, "client-ca.crt")
            shutil.copy(self.api.certificate, path)
            server.config["tls"]["clientCAFile"] = path
            write_configuration(server.config_path, server.config)
            server.wait_for_log("certificate loaded", 2)


class TimeTest(unittest.TestCase):
    """Files, not a Secret; the clock is what is wrong."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rayfix-time-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.issued = os.path.join(self.folder, "issued")
        reload_test.issue(self.issued)

    def test_leaf_that_is_not_valid_yet_at_start(self):
        files = reload_test.ReloadTest.signed_later(self, 4)
        folder = os.path.join(self.folder, "certs")
        os.mkdir(folder)
        for name, content in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)

        class Waiting(Server):
            def read_addresses(self):
                lines = [self.process.stdout.readline().decode() for _ in range(2)]
                self.port, self.health_port = (int(line.rsplit(":", 1)[1]) for line in lines)
        with Waiting(configuration(), folder=self.folder) as server:
            self.assertEqual(server.get("/readyz")[0], 503)
            self.assertIn("not valid before", server.get("/readyz")[2])
            self.assertEqual(server.get("/livez")[0], 200)
            with self.assertRaises(OSError):
                server.get("/readyz", tls=True)
            wait_until(lambda: server.get("/readyz")[0] == 200, "ready")
            self.assertEqual(server.get("/readyz", tls=True)[0], 200)

    def test_leaf_that_expires(self):
        folder = os.path.join(self.folder, "certs")
        shutil.copytree(self.issued, folder)
        self.signed_long_ago(folder, seconds_left=6)
        os.remove(os.path.join(folder, "ca.key"))  # nobody renews it
        with Server(configuration(), folder=self.folder) as server:
            self.assertEqual(server.get("/readyz", tls=True)[0], 200)
            for tls in (False, True):
                wait_until(lambda: server.get("/readyz", tls=tls)[0] == 503, "not ready")
                self.assertIn("[-]certificate failed: expired\n", server.get("/readyz", tls=tls)[2])
                self.assertEqual(server.get("/livez", tls=tls)[0], 200)

    def test_self_issued_leaf_is_renewed(self):
        folder = os.path.join(self.folder, "certs")
        shutil.copytree(self.issued, folder)
        self.signed_long_ago(folder, seconds_left=3600)
        with Server(configuration(), folder=self.folder) as server:
            server.wait_for_log("certificates issued")
            server.wait_for_log("certificate loaded", 2)
            with server.connect() as sock:
                left = ssl.cert_time_to_seconds(sock.getpeercert()["notAfter"]) - time.time()
            self.assertGreater(left, 300 * 24 * 3600)

    def signed_long_ago(self, folder, seconds_left):
        """A leaf of the CA there, three days old."""
        work = os.path.join(self.folder, "work")
        os.mkdir(work)
        config = os.path.join(work, "ca.cnf")
        with open(config, "w") as file:
            file.write(reload_test.CA_CONFIG.format(folder=work, issued=folder))
        open(os.path.join(work, "index.txt"), "w").close()
        request = os.path.join(work, "csr")
        run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["openssl", "req", "-new", "-key", os.path.join(folder, "tls.key"), "-subj",
                        "/CN=old", "-out", request], **run)
        dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
                 for seconds in (-71 * 3600, seconds_left)]
        subprocess.run(["openssl", "ca", "-batch", "-config", config, "-startdate", dates[0],
                        "-enddate", dates[1], "-notext", "-in", request, "-out",
                        os.path.join(folder, "tls.crt")], **run)


if __name__ == "__main__":
    main()
