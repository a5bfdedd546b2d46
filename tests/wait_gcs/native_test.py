#!/usr/bin/env python3
"""wait-gcs, the program of native mode, against listeners of all kinds (semantics §3): both builds
of it, the one with the C library of the machine and the static one of the image."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "scripts"))

import harness
import wait_gcs_test as scripts
from harness import Listener, Program
from name_server import NameServer

BUILD = pathlib.Path(os.environ.get("BUILD_DIR", "build/dev")) / "wait-gcs"
SANITIZED = bool(os.environ.get("SANITIZE"))
HOST = "head-svc.team-a.svc.cluster.local"
RESOLV = """nameserver {}
search team-a.svc.cluster.local svc.cluster.local cluster.local corp.test
options ndots:5 timeout:{}
"""


def speak_slowly(connection):
    """SETTINGS in two parts, later than mode auto waits."""
    connection.recv(1, socket.MSG_PEEK)
    connection.sendall(harness.SETTINGS[:4])
    time.sleep(0.3)
    connection.sendall(harness.SETTINGS[4:])
    connection.recv(4096)


def speak_a_little(connection):
    connection.sendall(harness.SETTINGS[:5])
    time.sleep(10)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def alert(connection):
    connection.recv(1)
    connection.sendall(bytes.fromhex("15030300020228"))


class Certificate:
    """A key and certificate, made once."""

    folder = tempfile.TemporaryDirectory(prefix="rayfix-wait-gcs-")
    lock = threading.Lock()

    @classmethod
    def files(cls):
        certificate, key = f"{cls.folder.name}/crt", f"{cls.folder.name}/key"
        with cls.lock:  # the cases run at once
            if not os.path.exists(certificate):
                subprocess.run(
                    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=head", "-days", "2",
                     "-keyout", key, "-out", certificate], check=True, capture_output=True)
        return certificate, key


def speak_tls(version, client_certificate=False):
    """A server of one TLS version, as gRPC: ALPN h2, perhaps with client certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Certificate.files())
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED

    def behave(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.sendall(harness.SETTINGS)
    return behave


class Names:
    """/etc/hosts and /etc/resolv.conf as the program sees them."""

    def __init__(self, folder, name_server, timeout=5):
        self.files = {"hosts": "", "resolv.conf": RESOLV.format(name_server, timeout),
                      "nsswitch.conf": "hosts: files dns\n"}
        self.folder = folder
        for name, text in self.files.items():
            self.write(name, text)

    def write(self, name, text):
        (self.folder / name).write_text(text)  # in place: a bind mount stays with the file

    def wrap(self, argv):
        mounts = [f"{{ [ ! -e /etc/{name} ] || mount --bind {self.folder / name} /etc/{name}; }}"
                  for name in self.files]
        return ["/bin/sh", "-c", " && ".join(mounts) + ' && exec "$@"', "sh"] + argv


class Native(scripts.Cases):
    """The cases of the shell form, and those of native mode."""

    build = None
    process_name = "wait-gcs"

    def start(self, port, host="127.0.0.1", mode="h2", timeout=0, hosts=None):
        argv = [str(self.build), f"{host}:{port}", f"--mode={mode}"]
        argv += [f"--timeout={timeout}s"] if timeout else []
        return Program(hosts.wrap(argv) if hosts else argv, harness.environment())

    @contextlib.contextmanager
    def names(self, **more):
        """A name server of our own, and files that point to it."""
        if not harness.namespace() or os.geteuid() != 0:
            self.skipTest("needs a mount namespace and root: port 53")
        with harness.Folder() as folder, NameServer(self.free_address()) as server:
            yield Names(folder, server.address, **more), server

    @classmethod
    def free_address(cls):
        """One for each name server, as the cases run at once."""
        cls.addresses = getattr(cls, "addresses", 0) + 1
        return f"127.53.{os.getpid() % 250}.{cls.addresses + (100 if cls is StaticForm else 0)}"

    # ---- names, with a name server ----

    def case_trap_51_name_comes_late_and_head_moves(self):
        with self.names() as (hosts, server), Listener(harness.speak_settings, "127.0.0.3") as head:
            with self.start(head.port, HOST, hosts=hosts) as program:
                program.wait_line(scripts.WAITING % (HOST, head.port, "Name or service not known"))
                server.records[HOST] = ["127.0.0.2"]
                program.wait_line(scripts.WAITING % (HOST, head.port, "Connection refused"))
                server.records[HOST] = ["127.0.0.3"]
                self.assert_ready(program, head, HOST)

    def case_tries_every_address_of_a_name(self):
        """More than fit into 6 s one after the other, some of which do not answer at all."""
        dead = [f"127.0.1.{number}" for number in range(1, 9)]
        silent = Listener(harness.stay_silent, "127.0.0.4")
        with self.names() as (hosts, server), Listener(harness.speak_settings, "127.0.0.3") as head:
            server.records["head"] = dead + ["127.0.0.3"]
            with self.start(head.port, "head", hosts=hosts) as program:
                self.assert_ready(program, head, "head")
                self.assertEqual(len(program.lines), 1)
        silent.__exit__()

    def case_hosts_file(self):
        with self.names() as (hosts, _), Listener(harness.speak_settings, "127.0.0.3") as head:
            hosts.write("hosts", f"127.0.0.2 {HOST}\n127.0.0.3 {HOST}\n")
            with self.start(head.port, HOST, hosts=hosts) as program:
                self.assert_ready(program, head, HOST)

    def case_full_service_name_is_asked_for_first(self):
        with self.names() as (hosts, server), Listener(harness.speak_settings) as head:
            server.records[HOST] = ["127.0.0.1"]
            with self.start(head.port, HOST, hosts=hosts) as program:
                self.assert_ready(program, head, HOST)
            self.assertEqual(set(server.questions), {HOST})

    def case_short_name_is_searched(self):
        with self.names() as (hosts, server), Listener(harness.speak_settings) as head:
            server.records[HOST] = ["127.0.0.1"]
            with self.start(head.port, "head-svc", hosts=hosts) as program:
                self.assert_ready(program, head, "head-svc")

    def case_search_domain_whose_server_fails(self):
        with self.names() as (hosts, server), Listener(harness.speak_settings) as head:
            server.failing = ("team-a.svc.cluster.local", "corp.test")
            name = "head-svc.team-b.svc.cluster.local"
            server.records[name] = ["127.0.0.1"]
            with self.start(head.port, name, hosts=hosts) as program:
                self.assert_ready(program, head, name)
                self.assertEqual(len(program.lines), 1)

    def case_name_server_that_fails(self):
        with self.names() as (hosts, server), Listener(harness.speak_settings) as head:
            server.failing = ("local",)
            server.records[HOST] = ["127.0.0.1"]
            with self.start(head.port, HOST, hosts=hosts) as program:
                # musl asks again until its time is up.
                program.wait_line(r"\((Temporary failure in name resolution|timed out)\)\.$")
                server.failing = ()
                self.assert_ready(program, head, HOST)

    def case_name_server_that_is_silent_holds_it_6_s(self):
        with self.names(timeout=30) as (hosts, server), \
                Listener(harness.speak_settings) as head:
            server.silent = True
            server.records[HOST] = ["127.0.0.1"]
            with self.start(head.port, HOST, hosts=hosts) as program:
                found = program.wait_line(r"^(\d+) seconds elapsed.*\(timed out\)\.$")
                self.assertLess(int(found[1]), 25)
                server.silent = False
                self.assert_ready(program, head, HOST)

    def case_sigterm_while_a_name_server_is_silent(self):
        with self.names(timeout=30) as (hosts, server):
            server.silent = True
            with self.start(1, HOST, hosts=hosts) as program:
                deadline = time.monotonic() + harness.PATIENCE
                while not server.questions and time.monotonic() < deadline:
                    time.sleep(0.02)
                os.kill(program.first_process(), signal.SIGTERM)
                since = time.monotonic()
                self.assertIn(program.wait(), (143, -143))
                self.assertLess(time.monotonic() - since, 3)

    # ---- addresses ----

    def case_ipv6_literal(self):
        try:
            listener = Listener6()
        except OSError:
            self.skipTest("no IPv6 on loopback")
        with listener, self.start(listener.port, "[::1]") as program:
            self.assert_ready(program, listener, "[::1]")

    def case_connection_that_is_not_made(self):
        """The listener's queue is full: the kernel drops what comes, as a firewall does."""
        with full_listener() as port, self.start(port) as program:
            program.wait_line(scripts.WAITING % ("127.0.0.1", port, "timed out"))

    # ---- what is said ----

    def case_settings_in_parts(self):
        def in_parts(connection):
            connection.sendall(harness.SETTINGS[:4])
            time.sleep(0.3)
            connection.sendall(harness.SETTINGS[4:])
            connection.recv(1)
        with Listener(in_parts) as listener, self.start(listener.port) as program:
            self.assert_ready(program, listener)

    def case_settings_that_stop_halfway(self):
        self.assert_keeps_waiting(speak_a_little, "unexpected answer")

    def case_connection_that_is_reset(self):
        self.assert_keeps_waiting(reset, "no answer")

    def assert_ready_for(self, mode, behaviour):
        with Listener(behaviour) as listener, self.start(listener.port, mode=mode) as program:
            self.assert_ready(program, listener)
            self.assertEqual(len(program.lines), 1)

    def case_tls_13(self):
        self.assert_ready_for("tls", speak_tls(ssl.TLSVersion.TLSv1_3))

    def case_tls_12(self):
        self.assert_ready_for("tls", speak_tls(ssl.TLSVersion.TLSv1_2))

    def case_tls_with_client_certificates(self):
        self.assert_ready_for("tls", speak_tls(ssl.TLSVersion.TLSv1_3, client_certificate=True))

    def case_tls_alert(self):
        self.assert_ready_for("tls", alert)

    def case_tls_waits_while_silent(self):
        with Listener(harness.stay_silent) as listener:
            with self.start(listener.port, mode="tls") as program:
                program.wait_line(r"\(no answer\)\.$")
                listener.behave(speak_tls(ssl.TLSVersion.TLSv1_3))
                self.assert_ready(program, listener)

    def case_tls_does_not_take_text(self):
        with Listener(harness.speak_http_and_wait) as listener:
            with self.start(listener.port, mode="tls") as program:
                program.wait_line(r"\(unexpected answer\)\.$")

    def case_auto_with_settings(self):
        self.assert_ready_for("auto", harness.speak_settings)

    def case_auto_with_slow_settings(self):
        self.assert_ready_for("auto", speak_slowly)

    def case_auto_with_tls(self):
        self.assert_ready_for("auto", speak_tls(ssl.TLSVersion.TLSv1_3))

    def case_auto_waits_while_silent(self):
        def silent(connection):
            while connection.recv(4096):
                pass
        with Listener(silent) as listener, self.start(listener.port, mode="auto") as program:
            program.wait_line(r"\(no answer\)\.$")

    def case_openssl_server(self):
        certificate, key = Certificate.files()
        with subprocess.Popen(
                ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key",
                 key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True) as server:
            found = next(filter(None, (re.match(r"ACCEPT .*:(\d+)$", line)
                                       for line in server.stdout)))
            try:
                with self.start(found[1], mode="tls") as program:
                    self.assertEqual(program.wait(), 0)
            finally:
                server.kill()

    # ---- the end ----

    def case_timeout_is_kept(self):
        """The delay before the last attempt is cut, so that it does not end long after."""
        with Listener(None) as listener, self.start(listener.port, timeout=5) as program:
            self.assertEqual(program.wait(), 1)
            found = re.search(r"after (\d+)s", program.errors[-1])
            self.assertIn(int(found[1]), range(5, 9))

    def case_trap_50_sigterm_inside_an_attempt(self):
        took = self.signal_while(
            harness.stay_silent, signal.SIGTERM, 143,
            lambda listener, _: self.assertTrue(listener.accepted.wait(harness.PATIENCE)))
        self.assertLess(took, 2.5)  # an attempt would take 3 s

    def case_sigterm_as_an_ordinary_process(self):
        with Listener(None) as listener:
            argv = [str(self.build), f"127.0.0.1:{listener.port}"]
            with Program(argv, harness.environment(), namespaces=[]) as program:
                program.wait_line("Connection refused")
                program.process.send_signal(signal.SIGTERM)
                self.assertEqual(program.wait(), 143)

    def case_bad_arguments(self):
        for arguments, message in (
                ([], "want one HOST:PORT"),
                (["head"], "wait-gcs: head: want HOST:PORT"),
                (["head:0"], "wait-gcs: head:0: want a port from 1 to 65535"),
                (["::1:6379"], r"in brackets: \[::1\]:6379"),
                (["head:1", "--mode=udp"], "--mode=udp: want tcp, h2, tls or auto"),
                (["head:1", "--timeout=x"], "--timeout=x: want a number of seconds"),
                (["head:1", "--mode"], "--mode: needs a value"),
                (["head:1", "--what"], "--what: no such option"),
                (["head:1", "-xh"], "-x: no such option")):
            done = subprocess.run([self.build, *arguments], capture_output=True, text=True,
                                  timeout=harness.PATIENCE, stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertRegex(done.stderr, message)
            self.assertEqual(done.stderr.count("\n"), 1)

    def case_help(self):
        done = subprocess.run([self.build, "-h"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("Example: wait-gcs ", done.stdout)

    def case_output_that_nobody_reads(self):
        with Listener(None) as listener:
            read, write = os.pipe()
            os.close(read)
            with subprocess.Popen([self.build, f"127.0.0.1:{listener.port}"], stdout=write,
                                  stdin=subprocess.DEVNULL) as process:
                os.close(write)
                time.sleep(2)
                self.assertIsNone(process.poll())
                listener.behave(harness.speak_settings)
                self.assertEqual(process.wait(harness.PATIENCE), 0)


class Listener6(Listener):
    """On the IPv6 loopback address."""

    def __init__(self):
        self.accepted = threading.Event()
        self.address = "::1"
        self.behaviour = harness.speak_settings
        self.holder = socket.socket()
        self.server = socket.create_server(("::1", 0), family=socket.AF_INET6)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()


@contextlib.contextmanager
def full_listener():
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        time.sleep(0.2)
        yield server.getsockname()[1]


class OrdinaryForm(Native, harness.ParallelTests):
    form = "native, ordinary build"
    build = BUILD / "wait-gcs"
    memory_limit = 1 << 30 if SANITIZED else 4 << 10


@unittest.skipUnless((BUILD / "static" / "wait-gcs").exists(), "no musl-gcc: install musl-tools")
class StaticForm(Native, harness.ParallelTests):
    form = "native, static"
    build = BUILD / "static" / "wait-gcs"
    memory_limit = 1 << 10

    def test_it_needs_nothing(self):
        """No interpreter and no shared library: it runs on an empty root."""
        done = subprocess.run(["readelf", "-l", "-d", self.build], capture_output=True, text=True)
        self.assertNotRegex(done.stdout, "INTERP|NEEDED")


if __name__ == "__main__":
    if not harness.namespace():
        print("no PID namespaces here (unshare --pid): the programs do not run as PID 1")
        if os.environ.get("CI"):
            harness.skip_program("run as root, or allow unprivileged user namespaces")
    if os.environ.get("CI") and not StaticForm.build.exists():
        harness.skip_program("the static build is missing: install musl-tools")
    unittest.main(verbosity=2)
