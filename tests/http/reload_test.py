"""Configuration and certificates are swapped while requests are answered."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from server_process import (RAYFIX, Load, Server, configuration, encoded, main, review, wait_until,
                            write_configuration)

SWAPS = 20

CA_CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
certificate = {issued}/ca.crt
private_key = {issued}/ca.key
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:localhost,IP:127.0.0.1,DNS:rayfix.rayfix-system.svc
extendedKeyUsage = serverAuth
"""


def issue(folder, *args):
    subprocess.run([RAYFIX, "certs", "issue", "--cert-dir", folder, *args], check=True,
                   stdout=subprocess.DEVNULL)


class Mount:
    """A folder as the kubelet mounts a Secret or ConfigMap: files are links through ..data, which
    is swapped by a rename."""

    def __init__(self, path):
        self.path = path
        self.count = 0
        os.mkdir(path)

    def swap(self, files):
        self.count += 1
        version = f"..version{self.count}"
        os.mkdir(os.path.join(self.path, version))
        for name, content in files.items():
            with open(os.path.join(self.path, version, name), "wb") as file:
                file.write(content)
            link = os.path.join(self.path, name)
            if not os.path.islink(link):
                os.symlink(os.path.join("..data", name), link)
        os.symlink(version, os.path.join(self.path, "..new"))
        os.replace(os.path.join(self.path, "..new"), os.path.join(self.path, "..data"))
        old = os.path.join(self.path, f"..version{self.count - 1}")
        shutil.rmtree(old, ignore_errors=True)


def files_of(folder):
    files = {}
    for name in ("tls.crt", "tls.key", "ca.crt"):
        with open(os.path.join(folder, name), "rb") as file:
            files[name] = file.read()
    return files


def served(server, context=None):
    with server.connect(context) as sock:
        return sock.getpeercert()["serialNumber"]


def rules_of(server):
    body = json.loads(server.post(encoded(review()))[2])
    patch = json.loads(base64.b64decode(body["response"]["patch"]))
    return {operation["path"] for operation in patch}


class ReloadTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rayfix-reload-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.issued = os.path.join(self.folder, "issued")
        issue(self.issued)

    def signed_later(self, seconds):
        """A leaf of our CA that is valid only `seconds` from now."""
        folder = os.path.join(self.folder, "later")
        os.mkdir(folder)
        config = os.path.join(folder, "ca.cnf")
        with open(config, "w") as file:
            file.write(CA_CONFIG.format(folder=folder, issued=self.issued))
        open(os.path.join(folder, "index.txt"), "w").close()
        run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        key, request, leaf = (os.path.join(folder, name) for name in ("tls.key", "csr", "tls.crt"))
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=later", "-keyout", key,
                        "-out", request], **run)
        start = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
        subprocess.run(["openssl", "ca", "-batch", "-config", config, "-startdate", start, "-days",
                        "2", "-notext", "-in", request, "-out", leaf], **run)
        shutil.copy(os.path.join(self.issued, "ca.crt"), folder)
        return files_of(folder)

    def test_a_leaf_that_is_not_valid_yet_is_taken_when_it_is(self):
        with self.mounted() as server:
            before = served(server)
            self.mount.swap(self.signed_later(4))
            wait_until(lambda: "not valid before" in server.stderr(), "the refusal")
            self.assertEqual(served(server), before)
            wait_until(lambda: served(server) != before, "the new leaf")
            self.assertEqual(server.stderr().count("certificate not reloaded"), 1)

    def mounted(self, **sections):
        self.mount = Mount(os.path.join(self.folder, "certs"))
        self.mount.swap(files_of(self.issued))
        return Server(configuration(**sections), folder=self.folder)

    def test_certificates_under_load(self):
        with self.mounted() as server:
            with Load(server, keep_alive=True) as kept, Load(server, keep_alive=False) as fresh:
                for swap in range(SWAPS):
                    before = served(server)
                    issue(self.issued)  # the CA stays, so clients go on trusting it
                    self.mount.swap(files_of(self.issued))
                    wait_until(lambda: served(server) != before, f"certificate {swap}")
                    answered = fresh.answered
                    wait_until(lambda: fresh.answered > answered + 2 or fresh.problems, "answers")
            self.assertEqual(kept.problems + fresh.problems, [])
            self.assertEqual(server.metrics()["rayfix_certificate_last_reload_successful"], 1)

    def test_configuration_under_load(self):
        with self.mounted() as server:
            with Load(server, keep_alive=True) as kept, Load(server, keep_alive=False) as fresh:
                for swap in range(SWAPS):
                    mode = "off" if swap % 2 == 0 else "enforce"
                    server.config["mutators"] = {"dns-config": {"mode": mode}}
                    write_configuration(server.config_path, server.config)
                    wait_until(lambda: any("dns" in path for path in rules_of(server)) ==
                               (mode == "enforce"), f"configuration {swap}")
                    answered = kept.answered
                    wait_until(lambda: kept.answered > answered + 2 or kept.problems, "answers")
            self.assertEqual(kept.problems + fresh.problems, [])
            self.assertEqual(server.metrics()["rayfix_config_last_reload_successful"], 1)

    def test_bad_configuration_changes_nothing(self):
        with self.mounted() as server:
            before = rules_of(server)
            good = dict(server.config)
            write_configuration(server.config_path, {**good, "mutators": {"nonsense": {}},
                                                     "sever": {}})
            server.wait_for_log("configuration not reloaded, the old one stays in force")
            mistakes = [line for line in server.log() if line["msg"] == "configuration mistake"]
            self.assertEqual(len(mistakes), 2)
            self.assertEqual(rules_of(server), before)
            metrics = server.metrics()
            self.assertEqual(metrics["rayfix_config_last_reload_successful"], 0)
            self.assertGreater(metrics["rayfix_config_last_reload_success_timestamp_seconds"], 1e9)
            self.assertEqual(server.get("/readyz")[0], 200)
            write_configuration(server.config_path, good)
            server.wait_for_log("configuration reloaded")
            self.assertEqual(server.metrics()["rayfix_config_last_reload_successful"], 1)

    def test_missing_configuration_changes_nothing(self):
        with self.mounted() as server:
            os.rename(server.config_path, server.config_path + ".gone")
            server.wait_for_log("configuration not reloaded, the old one stays in force")
            self.assertEqual(server.post(encoded(review()))[0], 200)

    def test_restart_is_asked_for(self):
        with self.mounted() as server:
            server.config["limits"] = {"connections": 99}
            write_configuration(server.config_path, server.config)
            server.wait_for_log(
                "server, limits and tls.minVersion have changed: they need a restart")

    def test_log_level_at_once(self):
        with self.mounted() as server:
            server.config["log"] = {"level": "error"}
            write_configuration(server.config_path, server.config)
            wait_until(lambda: self.quiet(server), "silence")

    def quiet(self, server):
        before = len(server.decisions())
        server.post(encoded(review()))
        return len(server.decisions()) == before

    def test_hangup_reloads_now(self):
        with self.mounted(tls={"reloadInterval": "1h"}) as server:
            server.config["mutators"] = {"dns-config": {"mode": "off"}}
            write_configuration(server.config_path, server.config)
            server.process.send_signal(signal.SIGHUP)
            server.wait_for_log("configuration reloaded")
            self.assertFalse(any("dns" in path for path in rules_of(server)))

    def check_refused(self, files, *words):
        with self.mounted() as server:
            context = server.context()  # the CA of before, whatever is in the folder now
            before = served(server, context)
            self.mount.swap(files)
            server.wait_for_log("certificate not reloaded, the old one keeps serving")
            reasons = [line["reason"] for line in server.log() if "old one keeps" in line["msg"]]
            for word in words:
                self.assertIn(word, reasons[0])
            self.assertEqual(served(server, context), before)
            client = server.client(context)
            self.assertEqual(server.post(encoded(review()), client=client)[0], 200)
            client.close()
            self.assertEqual(server.metrics()["rayfix_certificate_last_reload_successful"], 0)
            self.assertEqual(server.get("/readyz")[0], 200)
            issue(self.issued)
            self.mount.swap(files_of(self.issued))
            wait_until(lambda: served(server, context) != before, "recovery")
            self.assertEqual(server.metrics()["rayfix_certificate_last_reload_successful"], 1)

    def test_key_of_another_certificate(self):
        files = files_of(self.issued)
        other = os.path.join(self.folder, "other")
        issue(other)
        self.check_refused({**files, "tls.key": files_of(other)["tls.key"]}, "key")

    def test_certificate_for_another_name(self):
        other = os.path.join(self.folder, "other")
        issue(other, "--service", "elsewhere", "--namespace", "nowhere")
        self.check_refused(files_of(other), "rayfix.rayfix-system.svc")

    def test_no_certificate_at_all(self):
        self.check_refused({**files_of(self.issued), "tls.crt": b"hello"}, "tls.crt")


if __name__ == "__main__":
    main()
