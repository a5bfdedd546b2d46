"""One replica of the installation, seen from beside it: its process on the node, its handshakes."""

import collections
import hashlib
import os
import re
import signal
import socket
import ssl
import statistics
import threading
import time
import urllib.request
from pathlib import Path

# The extension authorityKeyIdentifier, as it stands in a certificate: 2.5.29.35 (RFC 5280).
ISSUER_KEY = b"\x06\x03\x55\x1d\x23\x04"


def issuer_of(certificate):
    """What names the key of the CA that signed it."""
    start = certificate.index(ISSUER_KEY) + len(ISSUER_KEY)
    return certificate[start + 1:start + 1 + certificate[start]]


def is_rayfix_of(uid, process):
    try:
        program = (process / "cmdline").read_bytes().split(b"\0")[0]
        return program.endswith(b"rayfix") and uid in (process / "cgroup").read_text()
    except OSError:
        return False  # it has just ended


class Replica:

    def __init__(self, pod):
        self.name = pod["metadata"]["name"]
        self.uid = pod["metadata"]["uid"]
        self.address = pod["status"]["podIP"]

    def pid(self):
        """Of its process, which the node and the stories see by the same number."""
        [found] = [int(process.name) for process in Path("/proc").iterdir()
                   if process.name.isdigit() and is_rayfix_of(self.uid, process)]
        return found

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)

    def memory(self, field="VmRSS"):
        """In kB."""
        status = Path(f"/proc/{self.pid()}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE).group(1))

    def metrics(self):
        """Samples by name with labels, as text."""
        with urllib.request.urlopen(f"http://{self.address}:8080/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def handshake(self):
        """The certificate that it shows now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((self.address, 9443), timeout=30) as raw:
            with context.wrap_socket(raw) as connection:
                return connection.getpeercert(binary_form=True)


Seen = collections.namedtuple("Seen", "at changes kb connections")


class Follower(threading.Thread):
    """Looks at a replica five times a second while `with` lasts: which certificates it shows, and
    how much memory it takes after how many changes of its CA."""

    def __init__(self, replica):
        super().__init__(daemon=True)
        self.replica = replica
        self.leaves, self.issuers = set(), set()
        self.seen = []
        self.began = time.monotonic()
        self.error, self.over = None, threading.Event()

    def look(self):
        certificate = self.replica.handshake()
        self.leaves.add(hashlib.sha256(certificate).digest())
        self.issuers.add(issuer_of(certificate))
        self.seen.append(Seen(self.seconds(), len(self.issuers) - 1, self.replica.memory(),
                              int(self.replica.metrics()["rayfix_connections"])))

    def seconds(self):
        """How long it has looked, or did."""
        return self.seen[-1].at if self.over.is_set() else time.monotonic() - self.began

    def between(self, start, end):
        """What was seen in these seconds: the last number of changes, medians of the others."""
        found = [seen for seen in self.seen if start <= seen.at <= end]
        return Seen(end, found[-1].changes, statistics.median_low(seen.kb for seen in found),
                    statistics.median_low(seen.connections for seen in found))

    def run(self):
        try:
            while not self.over.wait(0.2):
                self.look()
        except Exception as error:  # noqa: BLE001 - whoever asks for the changes gets it
            self.error = error

    def changes(self):
        """(of the CA, of the leaf)"""
        if self.error:
            raise self.error
        return max(0, len(self.issuers) - 1), max(0, len(self.leaves) - 1)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
