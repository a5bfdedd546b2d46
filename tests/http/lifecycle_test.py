"""Start and end: addresses, exit codes, draining."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from server_process import (PATIENCE, RAYFIX, Load, Server, configuration, encoded, main, review,
                            write_configuration)

LOOPBACK = ("--bind-address", "127.0.0.1:0", "--health-bind-address", "127.0.0.1:0")


class StartTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rayfix-start-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.cert_dir = os.path.join(self.folder, "certs")

    def check_refused(self, code, *args, words=()):
        done = subprocess.run([RAYFIX, "serve", *args], capture_output=True, text=True,
                              timeout=PATIENCE)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.check_refused(3, *LOOPBACK, "--cert-dir", self.cert_dir, "--bind-address", address,
                               words=(address, "in use"))
            self.check_refused(3, *LOOPBACK, "--cert-dir", self.cert_dir,
                               "--health-bind-address", address, words=(address, "in use"))

    def test_bad_address(self):
        for address in ("", "9443", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", ":-1",
                        "256.1.1.1:80"):
            self.check_refused(3, *LOOPBACK, "--cert-dir", self.cert_dir, "--bind-address", address,
                               words=(f'"{address}"',))

    def test_bad_flags(self):
        for args in (("--log-level", "loud"), ("--log-format", "xml")):
            self.check_refused(2, *LOOPBACK, *args, words=(args[1],))

    def test_configuration(self):
        self.check_refused(3, "--config", os.path.join(self.folder, "nowhere"), words=("nowhere",))
        path = os.path.join(self.folder, "config.yaml")
        write_configuration(path, {"apiVersion": "rayfix.io/v1alpha1", "kind": "Configuration",
                                   "sever": {}})
        self.check_refused(2, "--config", path, words=("sever", "config.yaml:"))

    def test_certificates(self):
        with open(self.cert_dir, "w"):
            pass
        self.check_refused(3, *LOOPBACK, "--cert-dir", os.path.join(self.cert_dir, "below"),
                           words=(self.cert_dir,))
        os.remove(self.cert_dir)
        subprocess.run([RAYFIX, "certs", "issue", "--cert-dir", self.cert_dir], check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(self.cert_dir, "tls.key"), "w") as file:
            file.write("hello")
        self.check_refused(3, *LOOPBACK, "--cert-dir", self.cert_dir, words=("tls.key",))

    def test_missing_client_ca(self):
        path = os.path.join(self.folder, "config.yaml")
        write_configuration(path, configuration(tls={
            "certDir": self.cert_dir, "clientCAFile": os.path.join(self.folder, "nowhere.crt")}))
        self.check_refused(3, "--config", path, words=("nowhere.crt",))

    def test_wildcard_serves_both_families(self):
        process = subprocess.Popen(
            [RAYFIX, "serve", "--bind-address", ":0", "--health-bind-address", ":0", "--cert-dir",
             self.cert_dir], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ports = [int(process.stdout.readline().rsplit(":", 1)[1]) for _ in range(2)]
            self.assertEqual(process.stdout.readline(), "rayfix: ready\n")
            families = ["127.0.0.1"] + (["::1"] if self.has_ipv6() else [])
            for host in families:
                for port in ports:
                    socket.create_connection((host, port), timeout=PATIENCE).close()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    @staticmethod
    def has_ipv6():
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
            return True
        except OSError:
            return False

    def test_hardened(self):
        with Server() as server:
            with open(f"/proc/{server.process.pid}/status") as file:
                self.assertIn("NoNewPrivs:\t1", file.read())
            with open(f"/proc/{server.process.pid}/limits") as file:
                core = [line for line in file if line.startswith("Max core file size")]
            self.assertEqual(core[0].split()[4:6], ["0", "0"])

    def test_private_key_is_private(self):
        with Server() as server:
            mode = os.stat(os.path.join(server.cert_dir, "tls.key")).st_mode
            self.assertEqual(mode & 0o077, 0)


class EndTest(unittest.TestCase):
    def check_drain(self, delay, keep_alive):
        with Server(configuration(shutdown={"delay": delay})) as server:
            with Load(server, keep_alive=keep_alive) as load:
                time.sleep(0.2)
                load.may_end = True
                server.terminate()
                self.assertEqual(server.wait(), 0)
            self.assertEqual(load.problems, [])

    def test_no_request_is_lost(self):
        self.check_drain("2s", keep_alive=True)

    def test_no_request_on_a_new_connection_is_lost(self):
        for delay in ("0s", "1s"):
            self.check_drain(delay, keep_alive=False)

    def test_request_in_flight_is_finished(self):
        with Server() as server:
            body = encoded(review())
            with server.connect() as sock:
                sock.sendall(b"POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json"
                             b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:100])
                time.sleep(0.2)
                server.terminate()
                server.wait_for_log("shutting down")
                time.sleep(0.3)
                sock.sendall(body[100:])
                answer = sock.recv(1000)
            self.assertIn(b"200 OK", answer)
            self.assertIn(b"Connection: close", answer)
            self.assertEqual(server.wait(), 0)

    def test_late_request(self):
        with Server() as server:
            late = server.client()
            late_probe = server.kubelet()
            with server.connect() as busy:
                busy.sendall(b"POST /mutate HTTP/1.1\r\nHost: a\r\n")  # keeps the drain going
                time.sleep(0.2)
                server.terminate()
                server.wait_for_log("shutting down")
                time.sleep(0.2)
                status, headers, _ = server.post(encoded(review()), client=late)
                self.assertEqual((status, headers["Retry-After"], headers["Connection"]),
                                 (503, "0", "close"))
                late_probe.request("GET", "/readyz")
                answer = late_probe.getresponse()
                self.assertEqual((answer.status, answer.headers["Connection"]), (503, "close"))
                self.assertIn(b"[-]shutdown failed", answer.read())
                name = 'rayfix_requests_shed_total{reason="shutting_down"}'
                self.assertEqual(server.metrics()[name], 1, "the probe is none of them")
            late.close()
            late_probe.close()
            self.assertEqual(server.wait(), 0)

    def test_idle_connection_is_told(self):
        with Server() as server:
            client = server.client()
            self.assertEqual(server.post(encoded(review()), client=client)[0], 200)
            server.terminate()
            try:
                self.assertEqual(client.sock.recv(1), b"")
            except OSError:
                pass
            client.close()
            self.assertEqual(server.wait(), 0)

    def test_stuck_request_is_given_up(self):
        with Server(configuration(shutdown={"timeout": "300ms"})) as server:
            with server.connect() as sock:
                sock.sendall(b"POST /mutate HTTP/1.1\r\nHost: a\r\n")
                time.sleep(0.2)
                server.terminate()
                self.assertEqual(server.wait(), 0)
            self.assertIn("still in flight", server.stderr())


if __name__ == "__main__":
    main()
