"""A name server for tests, on loopback: answers what it is told, and counts the questions."""

import socket
import struct
import threading

A, AAAA = 1, 28
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3


def name_of(message):
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels), at + 5  # the end of the question: its NUL, type and class


class NameServer:
    """`records` maps a name to its IPv4 addresses; `failing` are domains below which it answers
    SERVFAIL; silent: it answers nothing at all. All three may change at any time."""

    def __init__(self, address="127.53.53.1"):
        self.address = address
        self.records = {}
        self.failing = ()
        self.silent = False
        self.questions = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 53))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                message, client = self.socket.recvfrom(512)
                if not message:
                    return
                name, end = name_of(message)
                self.questions.append(name)
                if not self.silent:
                    self.socket.sendto(self._answer(message, name, end), client)
            except OSError:
                return

    def _answer(self, message, name, end):
        kind = struct.unpack("!H", message[end - 4:end - 2])[0]
        code, addresses = NO_SUCH_NAME, self.records.get(name)
        if any(name.endswith("." + domain) for domain in self.failing):
            code = SERVER_FAILURE
        elif addresses is not None:
            code = NO_ERROR
        found = addresses if code == NO_ERROR and kind == A else []
        # RFC 1035 section 4.1: an answer, recursion wanted and to be had; the name by a pointer.
        header = message[:2] + struct.pack("!5H", 0x8180 | code, 1, len(found), 0, 0)
        records = [b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 0, 4) + socket.inet_aton(address)
                   for address in found]
        return header + message[12:end] + b"".join(records)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # An empty message wakes the thread.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.address, 53))
        self.socket.close()
