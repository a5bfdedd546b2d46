"""What clients may send: the table "Bad input", sizes, and what HTTP allows."""

import json
import os
import resource
import socket
import unittest

from server_process import (SANITIZED, Server, configuration, encoded, main, review, wait_until,
                            worker_pod)

UID = "11111111-2222-3333-4444-555555555555"


class InputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(configuration(limits={"body": "8Mi", "bytesInFlight": "12Mi"}))

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def check_status(self, answer, code, reason):
        status, headers, body = answer
        self.assertEqual(status, code)
        self.assertEqual(headers["Content-Type"], "application/json")
        parsed = json.loads(body)
        self.assertEqual((parsed["kind"], parsed["apiVersion"], parsed["status"], parsed["code"],
                          parsed["reason"]), ("Status", "v1", "Failure", code, reason))
        self.assertTrue(parsed["message"])

    def check_denied(self, answer, code):
        status, _, body = answer
        self.assertEqual(status, 200, body)
        response = json.loads(body)["response"]
        self.assertEqual((response["uid"], response["allowed"], response["status"]["code"]),
                         (UID, False, code))
        self.assertTrue(response["status"]["message"])

    def check_allowed(self, answer, patched=None):
        status, headers, body = answer
        self.assertEqual(status, 200, body)
        self.assertEqual(headers["Content-Type"], "application/json")
        response = json.loads(body)["response"]
        self.assertEqual((response["uid"], response["allowed"]), (UID, True))
        if patched is not None:
            self.assertEqual("patch" in response, patched)

    def raw(self, data):
        """Sends bytes; (status line, everything)."""
        with self.server.connect() as sock:
            sock.sendall(data)
            got = b""
            while True:
                piece = sock.recv(65536)
                got += piece
                if not piece:
                    return got.split(b"\r\n", 1)[0], got

    def test_good_review(self):
        self.check_allowed(self.server.post(encoded(review())), patched=True)
        self.check_allowed(self.server.post(encoded(review()), "/mutate?timeout=5s"), patched=True)
        self.check_allowed(self.server.post(encoded(review()), "/validate?timeout=10s"),
                           patched=False)

    def test_undecodable_with_uid(self):
        whole = encoded(review())
        self.check_denied(self.server.post(whole[:len(whole) // 2]), 400)
        self.check_denied(self.server.post(whole + b"}"), 400)
        for key, value in (("kind", "Pod"), ("apiVersion", "admission.k8s.io/v1beta1")):
            self.check_denied(self.server.post(encoded({**review(), key: value})), 400)

    def test_undecodable_without_uid(self):
        for body in (b"", b"hello", b"{}", b"[]", b"{", b"\xff\xfe"):
            self.check_status(self.server.post(body), 400, "BadRequest")

    def test_wrong_method(self):
        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
            client = self.server.client()
            client.request(method, "/mutate")
            answer = client.getresponse()
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "POST"))
            answer.read()
            # The connection goes on.
            self.check_allowed(self.server.post(encoded(review()), client=client))
            client.close()

    def test_status_bodies(self):
        self.check_status(self.server.post(b"{}", "/nowhere"), 404, "NotFound")
        self.check_status(self.server.post(b"{}", "/mutate/"), 404, "NotFound")
        self.check_status(self.server.post(b"{}", "/mutate%00x"), 404, "NotFound")
        for wrong in ("text/plain", "application/jsonx", "application/yaml", "", ";"):
            self.check_status(self.server.post(b"{}", headers={"Content-Type": wrong}), 415,
                              "UnsupportedMediaType")

    def test_content_type_parameters(self):
        for right in ("application/json; charset=utf-8", "Application/JSON", "application/json ;x",
                      "application/x-www-form-urlencoded"):  # curl --data-binary
            self.check_allowed(self.server.post(encoded(review()), headers={"Content-Type": right}))

    def test_refused_request_with_large_body_is_read(self):
        client = self.server.client()
        self.check_status(self.server.post(b"x" * 3000000, "/nowhere", client=client), 404,
                          "NotFound")
        self.check_allowed(self.server.post(encoded(review()), client=client))
        client.close()

    def test_too_large(self):
        filler = b" " * (9 << 20)
        client = self.server.client()
        self.check_denied(self.server.post(encoded(review()) + filler, client=client), 413)
        self.check_status(self.server.post(filler, client=client), 413, "RequestEntityTooLarge")
        self.check_allowed(self.server.post(encoded(review()), client=client))
        client.close()

    def test_limit_to_the_byte(self):
        body = encoded(review())
        self.check_allowed(self.server.post(body + b" " * ((8 << 20) - len(body))))
        self.check_denied(self.server.post(body + b" " * ((8 << 20) - len(body) + 1)), 413)

    def test_chunks(self):
        def pieces(data, size):
            for at in range(0, len(data), size):
                yield data[at:at + size]
        body = encoded(review())
        self.check_allowed(self.server.post(pieces(body, 7)), patched=True)
        self.check_denied(self.server.post(pieces(body + b" " * (9 << 20), 100000)), 413)
        self.check_status(self.server.post(pieces(b" " * (9 << 20), 100000)), 413,
                          "RequestEntityTooLarge")

    def test_expect_continue(self):
        body = encoded(review())
        with self.server.connect() as sock:
            sock.sendall(b"POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                         b"Expect: 100-continue\r\nConnection: close\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body))
            self.assertIn(b"100 Continue", sock.recv(1000))
            sock.sendall(body)
            self.assertIn(b"200 OK", sock.recv(1000))

    def test_http_1_0_and_close(self):
        body = encoded(review())
        head = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        self.assertIn(b"200", self.raw(b"POST /mutate HTTP/1.0\r\n" + head + b"\r\n" + body)[0])
        self.assertIn(b"200", self.raw(b"POST /mutate HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                       + head + b"\r\n" + body)[0])

    def test_broken_http(self):
        for line in (b"\x00\x01\x02\r\n\r\n", b"POST /mutate HTTP/1.1\r\nHost: a\r\n"
                     b"Content-Type: application/json\r\nContent-Length: banana\r\n\r\n",
                     b"POST /mutate HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40000 + b"\r\n\r\n"):
            try:
                self.assertNotIn(b" 200 ", self.raw(line)[0])
            except (ConnectionError, OSError):
                pass  # closing at once is fine as well
        self.check_allowed(self.server.post(encoded(review())))

    def test_client_goes_away(self):
        for cut in (10, 200):
            with self.server.connect() as sock:
                sock.sendall(b"POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json"
                             b"\r\nContent-Length: 100000\r\n\r\n"[:cut] + b"{" * cut)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.check_allowed(self.server.post(encoded(review())))

    def test_keep_alive(self):
        client = self.server.client()
        for _ in range(200):
            self.check_allowed(self.server.post(encoded(review()), client=client))
        client.close()

    def test_pipelined(self):
        body = encoded(review())
        one = (b"POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
               b"Content-Length: %d\r\n\r\n" % len(body)) + body
        last = one.replace(b"Host: a", b"Host: a\r\nConnection: close")
        self.assertEqual(self.raw(one + one + last)[1].count(b"HTTP/1.1 200 OK"), 3)

    def test_odd_objects(self):
        for odd in ("text", 7, None, [], {"kind": "ConfigMap", "data": {}},
                    {**worker_pod(), "spec": {"containers": "none"}},
                    {**worker_pod(), "spec": 3}, {**worker_pod(), "metadata": {"labels": 4}},
                    worker_pod(labels={"ray.io/node-type": 5}),
                    worker_pod(deletionTimestamp="2026-01-01T00:00:00Z")):
            whole = review()
            whole["request"]["object"] = odd
            self.check_allowed(self.server.post(encoded(whole)), patched=False)

    def test_other_operations(self):
        for operation in ("DELETE", "CONNECT"):
            whole = review(operation=operation)
            whole["request"]["oldObject"] = whole["request"].pop("object")
            self.check_allowed(self.server.post(encoded(whole)), patched=False)

    def test_monsters(self):
        nul = worker_pod(annotations={"a\0b": "c\0d", "big": "x"})
        self.check_allowed(self.server.post(encoded(review(nul))))
        deep = encoded(review()).replace(b'"dryRun"',
                                         b'"deep": ' + b"[" * 9000 + b"]" * 9000 + b', "dryRun"')
        self.check_allowed(self.server.post(deep))
        for number in (b"9223372036854775808", b"100000000000000000000", b"18446744073709551616"):
            self.check_allowed(self.server.post(
                encoded(review()).replace(b'"dryRun"', b'"n": ' + number + b', "dryRun"')))
        pod = worker_pod()
        pod["spec"]["containers"] += [{"name": f"c{i}", "image": "i"} for i in range(10000)]
        self.check_allowed(self.server.post(encoded(review(pod))), patched=True)
        angles = encoded(review(worker_pod(annotations={"a": "@"}))).replace(
            b"@", b"\\u003c" * (1 << 20))
        self.check_allowed(self.server.post(angles), patched=True)

    def test_decision_log(self):
        self.server.post(encoded(review(uid="logged-uid")))
        self.server.post(encoded(review(uid="denied-uid"))[:300])
        lines = {line["uid"]: line for line in self.server.decisions()}
        line = lines["logged-uid"]
        self.assertEqual((line["level"], line["kind"], line["operation"], line["namespace"],
                          line["user"], line["allowed"], line["code"], line["dryRun"]),
                         ("info", "Pod", "CREATE", "ray", "tester", True, 200, False))
        self.assertIn("wait-gcs", line["rules"].split(","))
        self.assertGreater(line["patchOperations"], 0)
        self.assertGreaterEqual(line["durationMicroseconds"], 0)
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        denied = lines["denied-uid"]
        self.assertEqual((denied["allowed"], denied["code"]), (False, 400))
        self.assertNotIn("env-value-that-must-not-be-logged", self.server.stderr())


class ShedTest(unittest.TestCase):
    LIMITS = {"body": "1Mi", "bytesInFlight": "1Mi"}
    HEAD = (b"POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\n\r\n")

    def test_bytes_in_flight(self):
        with Server(configuration(limits=self.LIMITS)) as server:
            client = server.client()
            with server.connect() as greedy:
                greedy.sendall(self.HEAD + b" " * 800000)
                wait_until(lambda: server.metrics()["rayfix_request_bytes_in_flight"] == 800000,
                           "bytes in flight")
                status, headers, body = server.post(encoded(review()) + b" " * 500000,
                                                    client=client)
                self.assertEqual((status, headers["Retry-After"]), (503, "1"))
                self.assertEqual(json.loads(body)["reason"], "ServiceUnavailable")
                # What fits in is judged all the same.
                self.assertEqual(server.post(encoded(review()), client=client)[0], 200)
            wait_until(lambda: server.metrics()["rayfix_requests_in_flight"] == 0, "the end")
            self.assertEqual(server.post(encoded(review()) + b" " * 500000, client=client)[0], 200)
            client.close()
            metrics = server.metrics()
            self.assertEqual(metrics['rayfix_requests_shed_total{reason="bytes_in_flight"}'], 1)
            self.assertEqual(metrics["rayfix_request_bytes_in_flight"], 0)

    def test_announced_bytes_cost_nothing(self):
        with Server(configuration(limits=self.LIMITS)) as server:
            greedy = [server.connect() for _ in range(8)]
            for sock in greedy:
                sock.sendall(self.HEAD + b"{")
            wait_until(lambda: server.metrics()["rayfix_requests_in_flight"] == 8, "requests")
            self.assertEqual(server.post(encoded(review()) + b" " * 500000)[0], 200)
            for sock in greedy:
                sock.close()

    @unittest.skipIf(SANITIZED, "sanitizers need the address space that is taken away here")
    def test_out_of_memory(self):
        def little():
            resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
        # 16 MiB of small values need far more than is left.
        monster = encoded(review()).replace(b'"dryRun"', b'"a": [' + b"1," * (12 << 20) +
                                            b'1], "dryRun"')
        with Server(configuration(), preexec=little) as server:
            client = server.client()
            status, headers, _ = server.post(monster, client=client)
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
            self.assertEqual(server.post(encoded(review()), client=client)[0], 200)
            client.close()
            self.assertEqual(server.metrics()['rayfix_requests_shed_total{reason="out_of_memory"}'],
                             1)


class LogTest(unittest.TestCase):
    def test_decisions_below_the_level(self):
        quiet = configuration(log={"level": "info", "decisions": "debug"})
        with Server(quiet) as server:
            server.post(encoded(review(uid="quiet-uid")))
            server.post(encoded(review(uid="denied-uid"))[:300])
            self.assertEqual([line["uid"] for line in server.decisions()], ["denied-uid"])

    def test_text_format(self):
        with Server(configuration(), args=("--log-format", "text")) as server:
            server.post(encoded(review(uid="text-uid")))
            self.assertIn(' info "allowed" path="mutate" uid="text-uid" kind="Pod"',
                          server.stderr())


if __name__ == "__main__":
    os.umask(0o077)
    main()
