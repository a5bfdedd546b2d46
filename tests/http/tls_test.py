"""TLS versions, suites, tickets, client certificates."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

from server_process import Server, configuration, encoded, main, review


def context_of(server, version, ciphers=None):
    context = server.context()
    context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers + ":@SECLEVEL=0")
    return context


class ProfileTest(unittest.TestCase):
    def test_default_is_1_3_only(self):
        with Server(configuration()) as server:
            with server.connect(context_of(server, ssl.TLSVersion.TLSv1_3)) as sock:
                self.assertEqual(sock.version(), "TLSv1.3")
            for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2):
                with self.assertRaises(OSError):
                    server.connect(context_of(server, old, "ALL"))

    def test_opt_in_to_1_2(self):
        with Server(configuration(tls={"minVersion": "1.2"})) as server:
            with server.connect(context_of(server, ssl.TLSVersion.TLSv1_3)) as sock:
                self.assertEqual(sock.version(), "TLSv1.3")
            for good in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                         "ECDHE-ECDSA-CHACHA20-POLY1305"):
                with server.connect(context_of(server, ssl.TLSVersion.TLSv1_2, good)) as sock:
                    self.assertEqual((sock.version(), sock.cipher()[0]), ("TLSv1.2", good))
            for weak in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-SHA",
                         "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "aNULL"):
                with self.assertRaises(OSError, msg=weak):
                    server.connect(context_of(server, ssl.TLSVersion.TLSv1_2, weak))
            for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                with self.assertRaises(OSError):
                    server.connect(context_of(server, old, "ALL"))

    def test_no_tickets(self):
        with Server(configuration(tls={"minVersion": "1.2"})) as server:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                client = server.client(context_of(server, version))
                self.assertEqual(server.post(encoded(review()), client=client)[0], 200)
                # After an answer a TLS 1.3 ticket would have come.
                session = client.sock.session
                self.assertFalse(session is not None and session.has_ticket)
                client.close()

    def test_alpn(self):
        with Server(configuration()) as server:
            context = server.context()
            context.set_alpn_protocols(["h2", "http/1.1"])
            with server.connect(context) as sock:
                self.assertEqual(sock.selected_alpn_protocol(), "http/1.1")

    def test_names(self):
        with Server(configuration(tls={"dnsNames": ["a.b.svc"]})) as server:
            for name in ("a.b.svc", "localhost", "127.0.0.1"):
                context = server.context()
                with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)),
                                         server_hostname=name) as sock:
                    self.assertTrue(sock.getpeercert())

    def test_plain_text_is_refused(self):
        with Server(configuration()) as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
                sock.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertNotIn(b"200", sock.recv(1000))


class ClientCertificateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rayfix-clients-")
        cls.make_ca("ca")
        cls.make_ca("other")
        cls.make_client("good", "ca", "kube-apiserver")
        cls.make_client("san", "ca", "someone", "subjectAltName=DNS:kube-apiserver\n")
        cls.make_client("stranger", "ca", "somebody-else")
        cls.make_client("foreign", "other", "kube-apiserver")
        cls.make_client("purpose", "ca", "kube-apiserver", usage="serverAuth")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def openssl(cls, *args):
        subprocess.run(["openssl", *args], check=True, cwd=cls.folder, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    @classmethod
    def make_ca(cls, name):
        cls.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", name + ".key", "-out", name + ".crt", "-days", "2",
                    "-subj", "/CN=clients " + name)

    @classmethod
    def make_client(cls, name, ca, subject, more="", usage="clientAuth"):
        with open(cls.path("extensions"), "w") as file:
            file.write(f"extendedKeyUsage={usage}\n{more}")
        cls.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + subject)
        cls.openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".crt", "-CAkey",
                    ca + ".key", "-CAcreateserial", "-days", "2", "-extfile", "extensions",
                    "-out", name + ".crt")

    def status_of(self, server, name):
        context = server.context()
        if name:
            context.load_cert_chain(self.path(name + ".crt"), self.path(name + ".key"))
        client = server.client(context)
        answers = []
        for _ in range(2):
            answer = server.post(encoded(review()), client=client)
            answers.append(answer[0])
            if answer[1].get("Connection") == "close":
                break
        client.close()
        return answers

    def test_with_names(self):
        tls = {"clientCAFile": self.path("ca.crt"), "clientNames": ["kube-apiserver", "front"]}
        with Server(configuration(tls=tls)) as server:
            self.assertEqual(self.status_of(server, "good"), [200, 200])
            self.assertEqual(self.status_of(server, "san"), [200, 200])
            for name in (None, "stranger", "foreign", "purpose"):
                self.assertEqual(self.status_of(server, name), [403], name)
            self.check_probes(server)
            refused = [line for line in server.log() if line["msg"] == "client refused"]
            self.assertEqual(len(refused), 5, "no probe is one of them")

    def check_probes(self, server):
        """The kubelet has no certificate. It sees the probes, and nothing else."""
        for path in ("/livez", "/readyz"):
            self.assertEqual(server.get(path, tls=True)[::2], (200, "ok"))
            self.assertEqual(server.get(path, "HEAD", tls=True)[0], 200)
            self.assertEqual(server.get(path, "POST", tls=True)[0], 405)
        # A probe before a review on the same connection opens nothing.
        client = server.kubelet()
        client.request("GET", "/readyz")
        self.assertEqual(client.getresponse().read(), b"ok")
        self.assertEqual(server.post(encoded(review()), client=client)[0], 403)
        client.close()

    def test_any_name(self):
        with Server(configuration(tls={"clientCAFile": self.path("ca.crt")})) as server:
            self.assertEqual(self.status_of(server, "stranger"), [200, 200])
            self.assertEqual(self.status_of(server, "foreign"), [403])
            self.assertEqual(self.status_of(server, None), [403])

    def test_not_asked(self):
        with Server(configuration()) as server:
            self.assertEqual(self.status_of(server, "foreign"), [200, 200])
            self.assertEqual(self.status_of(server, None), [200, 200])


if __name__ == "__main__":
    main()
