"""Slow clients are let go at their deadline; others are not disturbed."""

import socket
import time
import unittest

from server_process import PATIENCE, Server, configuration, encoded, main, review

# A machine that is busy may need a second for what follows a connection.
REQUEST_TIMEOUT = 2.0
IDLE_TIMEOUT = 10.0

HEAD = (b"POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100000\r\n")


def drip(sock, start=b"", begin=None):
    """Sends `start`, then a byte now and then; the seconds from `begin` (else now) until the server
    closes."""
    begin = begin or time.monotonic()
    sock.settimeout(0.05)
    try:
        if start:
            sock.sendall(start)
        while time.monotonic() - begin < PATIENCE:
            sock.send(b"x")
            try:
                if sock.recv(1000) == b"":
                    break
            except TimeoutError:
                pass
    except OSError:
        pass
    return time.monotonic() - begin


class SlowTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(configuration(limits={
            "requestTimeout": f"{int(REQUEST_TIMEOUT * 1000)}ms",
            "idleTimeout": f"{int(IDLE_TIMEOUT * 1000)}ms", "connections": 16}))

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def check_closed(self, seconds, least):
        self.assertGreaterEqual(seconds, least * 0.9)
        self.assertLess(seconds, PATIENCE / 2)

    def test_silent_handshake(self):
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.server.port)) as sock:
            sock.settimeout(PATIENCE)
            self.assertEqual(sock.recv(1), b"")
        self.check_closed(time.monotonic() - begin, REQUEST_TIMEOUT)

    def test_slow_handshake(self):
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.server.port)) as sock:
            # The head of a long TLS record, whose body then comes byte by byte.
            self.check_closed(drip(sock, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                                   begin), REQUEST_TIMEOUT)

    def test_silence_after_handshake(self):
        begin = time.monotonic()
        with self.server.connect() as sock:
            try:
                self.assertEqual(sock.recv(1), b"")
            except OSError:
                pass
        self.check_closed(time.monotonic() - begin, REQUEST_TIMEOUT)

    def test_slow_request_line(self):
        begin = time.monotonic()  # the deadline counts from the connection's first moment
        with self.server.connect() as sock:
            self.check_closed(drip(sock, b"POST /mut", begin), REQUEST_TIMEOUT)

    def test_slow_headers(self):
        begin = time.monotonic()  # the deadline counts from the connection's first moment
        with self.server.connect() as sock:
            self.check_closed(drip(sock, HEAD + b"X-Slow: ", begin), REQUEST_TIMEOUT)

    def test_slow_body(self):
        begin = time.monotonic()  # the deadline counts from the connection's first moment
        with self.server.connect() as sock:
            self.check_closed(drip(sock, HEAD + b"\r\n{", begin), REQUEST_TIMEOUT)

    def test_slow_second_request(self):
        for rest in (b"X-Slow: ", b"\r\n{"):
            client = self.server.client()
            self.assertEqual(self.server.post(encoded(review()), client=client)[0], 200)
            seconds = drip(client.sock, HEAD + rest)
            client.close()
            self.check_closed(seconds, REQUEST_TIMEOUT)
            # The request's deadline, not the idle one.
        self.assertGreaterEqual(
            self.server.metrics()['rayfix_connections_closed_total{reason="request_timeout"}'], 1)

    def test_slow_second_request_line_is_bounded(self):
        client = self.server.client()
        self.assertEqual(self.server.post(encoded(review()), client=client)[0], 200)
        self.check_closed(drip(client.sock, b"POS"), REQUEST_TIMEOUT)
        client.close()

    def test_idle(self):
        client = self.server.client()
        self.assertEqual(self.server.post(encoded(review()), client=client)[0], 200)
        time.sleep(REQUEST_TIMEOUT * 2)  # longer than a request may take, shorter than idle
        self.assertEqual(self.server.post(encoded(review()), client=client)[0], 200)
        begin = time.monotonic()
        client.sock.settimeout(PATIENCE)
        try:
            self.assertEqual(client.sock.recv(1), b"")
        except OSError:
            pass
        self.check_closed(time.monotonic() - begin, IDLE_TIMEOUT)
        client.close()


class FullHouseTest(unittest.TestCase):
    def test_one_more_waits(self):
        with Server(configuration(limits={"connections": 16})) as server:
            held = []
            for _ in range(16):
                held.append(server.client())
                self.assertEqual(server.post(encoded(review()), client=held[-1])[0], 200)
            # It waits in the kernel and is served when another leaves.
            late = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            held.pop().close()
            with server.context().wrap_socket(late, server_hostname="localhost") as sock:
                body = encoded(review())
                sock.sendall(HEAD.replace(b"100000", b"%d" % len(body)) + b"\r\n" + body)
                self.assertIn(b"200 OK", sock.recv(1000))
            for client in held:
                client.close()


if __name__ == "__main__":
    main()
