"""The API client (cluster/) against an API server that misbehaves on purpose."""

import base64
import http.server
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import warnings

import fake_api
from fake_api import FakeApi, answering, resetting, sleeping, status

DRIVER = os.path.join(os.environ["BUILD_DIR"], "tests", "cluster_driver")
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJl"
SECRET = {"resource": "secrets", "ns": "ns", "name": "x"}


class Driver:
    def __init__(self, **environment):
        self.process = subprocess.Popen([DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})

    def __call__(self, op, **fields):
        self.process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the driver died: {self.process.stderr.read()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(30)
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        if code or errors:
            raise AssertionError(f"the driver ended with {code}: {errors}")


class Case(unittest.TestCase):
    def setUp(self):
        self.api = FakeApi()
        self.token_path = os.path.join(self.api.folder, "token")
        self.write_token("token-number-one")
        self.api.token = "token-number-one"
        self.driver = Driver()
        self.open()

    def tearDown(self):
        self.driver.close()
        self.api.stop()
        shutil.rmtree(self.api.folder)

    def open(self, **more):
        fields = {"server": self.api.url, "ca_file": self.api.certificate,
                  "token_file": self.token_path, **more}
        answer = self.driver("open", **fields)
        self.assertTrue(answer["ok"], answer)

    def write_token(self, token):
        with open(self.token_path + ".new", "w") as file:
            file.write(token + "\n")
        os.replace(self.token_path + ".new", self.token_path)

    def get(self, **more):
        return self.driver("get", **{**SECRET, **more})

    def create(self, **more):
        return self.driver("create", **{**SECRET, "object": {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}, **more})

    def fails(self, answer, kind, text=""):
        self.assertFalse(answer["ok"], answer)
        self.assertEqual(answer["kind"], kind, answer)
        self.assertIn(text, answer["text"])


class Calls(Case):
    def test_get_create_update_delete(self):
        self.fails(self.get(), "not found", 'get secrets/x in ns: 404 NotFound: "x" not found')
        made = self.create()
        self.assertTrue(made["ok"], made)
        self.fails(self.create(), "already exists", "create secrets/x in ns: 409 AlreadyExists: ")
        got = self.get()["object"]
        self.assertEqual(got["metadata"]["name"], "x")
        update = dict(SECRET, object=dict(got, data={"a": "Yg=="}))
        self.assertTrue(self.driver("update", **update)["ok"])
        self.fails(self.driver("update", **update), "conflict", "update secrets/x in ns: 409 ")
        self.assertTrue(self.driver("delete", **SECRET, uid="u")["ok"])
        self.assertEqual(json.loads(self.api.seen("DELETE")[0][3])["preconditions"], {"uid": "u"})
        self.fails(self.get(), "not found")

    def test_requests_are_as_the_api_wants_them(self):
        self.create()
        method, path, headers, body = self.api.seen("POST")[0]
        self.assertEqual(path, "/api/v1/namespaces/ns/secrets?fieldManager=rayfix")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["Accept"], "application/json")
        self.assertRegex(headers["User-Agent"], r"^rayfix/\d")
        self.assertNotIn("Expect", headers)
        self.assertEqual(json.loads(body)["kind"], "Secret")

    def test_patches(self):
        self.api.put("/api/v1/namespaces/ns/secrets/x")
        for kind, force, content, query in (
                ("json", False, "application/json-patch+json", "?fieldManager=rayfix"),
                ("merge", False, "application/merge-patch+json", "?fieldManager=rayfix"),
                ("apply", False, "application/apply-patch+yaml", "?fieldManager=rayfix"),
                ("apply", True, "application/apply-patch+yaml",
                 "?fieldManager=rayfix&force=true")):
            answer = self.driver("patch", **SECRET, type=kind, force=force, object={})
            self.assertTrue(answer["ok"], answer)
            _, path, headers, _ = self.api.seen("PATCH")[-1]
            self.assertEqual(path, "/api/v1/namespaces/ns/secrets/x" + query)
            self.assertEqual(headers["Content-Type"], content)
        self.api.next(answering(409, status(409, "Conflict", "conflict with \"argocd\"")))
        self.fails(self.driver("patch", **SECRET, type="apply", object={}), "conflict",
                   'apply secrets/x in ns: 409 Conflict: conflict with "argocd"')

    def test_a_name_that_would_leave_its_path_is_refused(self):
        for name in ("", ".", "..", "a/b", "a%2fb"):
            self.fails(self.get(name=name), "invalid")
        self.assertEqual(self.api.seen(), [])

    def test_codes(self):
        for code, kind in ((400, "invalid"), (403, "forbidden"), (404, "not found"),
                           (405, "invalid"), (409, "conflict"), (410, "gone"), (413, "too large"),
                           (415, "invalid"), (422, "invalid"), (301, "protocol"),
                           (501, "server")):
            self.api.next(answering(code))
            answer = self.get()
            self.fails(answer, kind, f"get secrets/x in ns: {code}")
            self.assertEqual(answer["code"], code)
        self.api.next(answering(403, status(403, "Forbidden", 'secrets "x" is forbidden: why')))
        self.assertEqual(self.get()["text"],
                         'get secrets/x in ns: 403 Forbidden: secrets "x" is forbidden: why')

    def test_a_proxys_text_is_shown_in_part(self):
        self.api.next(answering(403, b"<html>no\x1b[2J\r\n" + b"x " * 5000,
                                content_type="text/html"))
        answer = self.get()
        self.fails(answer, "forbidden", "<html>no [2J")
        self.assertLess(len(answer["text"]), 300)

    def test_text_and_path(self):
        self.api.next(answering(200, b"metric 1\n", content_type="text/plain"))
        self.assertEqual(self.driver("text", path="/metrics")["text"], "metric 1\n")
        self.api.next(answering(200, {"gitVersion": "v1"}))
        self.assertEqual(self.driver("path", path="/version")["object"], {"gitVersion": "v1"})


class Retries(Case):
    def test_429_with_retry_after(self):
        self.api.next(answering(429, headers=[("Retry-After", "1")]), answering(200, {}))
        begin = time.monotonic()
        self.assertTrue(self.get()["ok"])
        self.assertGreaterEqual(time.monotonic() - begin, 1)
        self.assertEqual(len(self.api.seen()), 2)

    def test_retry_after_beyond_the_budget(self):
        self.api.next(answering(429, headers=[("Retry-After", "3600")]))
        self.fails(self.get(budget=2000), "busy", "get secrets/x in ns: 429")
        self.assertEqual(len(self.api.seen()), 1)

    def test_5xx_of_what_may_be_done_twice(self):
        for code in (500, 502, 503, 504):
            self.api.next(answering(code), answering(code), answering(200, {}))
            self.assertTrue(self.get()["ok"])
        self.api.next(answering(500), answering(200, {}))
        self.assertTrue(self.driver("update", **SECRET, object={})["ok"])

    def test_5xx_until_the_budget_is_used_up(self):
        self.api.next(*[answering(503, status(503, "", "away")) for _ in range(50)])
        self.fails(self.get(budget=700), "server", "503 ServiceUnavailable: away")
        self.assertGreater(len(self.api.seen()), 1)
        self.assertLess(len(self.api.seen()), 10)

    def test_a_create_is_not_done_twice(self):
        self.api.next(answering(500))
        self.fails(self.create(), "server", "create secrets/x in ns: 500 ")
        self.assertEqual(len(self.api.seen("POST")), 1)
        self.api.next(resetting)
        self.fails(self.create(), "unreachable", "the connection was closed before the answer")
        self.assertEqual(len(self.api.seen("POST")), 2)
        self.api.next(resetting)
        answer = self.driver("patch", **SECRET, type="json", object=[])
        self.fails(answer, "unreachable")
        self.assertEqual(len(self.api.seen("PATCH")), 1)

    def test_a_create_that_was_sent_away_is_done_again(self):
        self.api.next(answering(503, headers=[("Retry-After", "0")]))
        self.assertTrue(self.create()["ok"])
        self.assertEqual(len(self.api.seen("POST")), 2)

    def test_reset(self):
        self.api.next(resetting, resetting, answering(200, {}))
        self.assertTrue(self.get()["ok"])

    def test_refused_until_the_server_is_back(self):
        self.api.stop()
        self.fails(self.get(budget=400), "unreachable", self.api.url)
        timer = threading.Timer(0.5, self.api.start)
        timer.start()
        answer = self.create(budget=20000)
        timer.join()
        self.assertTrue(answer["ok"], answer)

    def test_slow(self):
        self.open(attempt_ms=200)
        self.api.next(sleeping(1.5), answering(200, {}))
        self.assertTrue(self.get()["ok"])
        self.api.next(sleeping(1.5))
        self.fails(self.get(budget=150), "timeout", "get secrets/x in ns: ")

    def test_cancel_ends_a_call_and_a_wait(self):
        self.api.next(sleeping(60))
        begin = time.monotonic()
        self.fails(self.get(cancel_after=100), "cancelled", "get secrets/x in ns: cancelled")
        self.fails(self.get(), "cancelled")
        self.open()
        self.api.next(answering(429, headers=[("Retry-After", "25")]))
        self.fails(self.get(cancel_after=100), "cancelled")
        self.assertLess(time.monotonic() - begin, 20)


class Answers(Case):
    def test_what_is_no_answer_of_kubernetes(self):
        for body, content_type in ((b"{", "application/json"), (b"[]", "application/json"),
                                   (b"", "application/json"), (b'{"a":1,"a":2}',
                                                               "application/json"),
                                   (b"{}", "text/html"), (b"\xff\xfe", "application/json"),
                                   (b"[" * 100000, "application/json"),
                                   (b"{}", "application/jsonp")):
            self.api.next(answering(200, body, content_type=content_type))
            self.fails(self.get(), "protocol", "get secrets/x in ns: the answer is no")

    def test_garbage_instead_of_http(self):
        def garbage(handler):
            handler.wfile.write(b"SSH-2.0-x\r\n")
            handler.close_connection = True
        self.api.next(*[garbage] * 40)
        answer = self.get(budget=300)
        self.assertIn(answer["kind"], ("protocol", "unreachable"))

    def test_a_huge_answer(self):
        self.api.next(answering(200, b'{"a":"' + b"x" * (33 << 20) + b'"}'))
        self.fails(self.get(), "too large", "larger than the limit")

    def test_an_answer_that_never_ends(self):
        def endless(handler):
            handler.begin_stream()
            while True:
                handler.write(b" " * 65536)
        self.api.next(endless)
        self.fails(self.get(), "too large")

    def test_nul_in_a_value_is_kept(self):
        self.api.next(answering(200, b'{"a":"x\\u0000y"}'))
        self.assertEqual(self.get()["object"], {"a": "x\0y"})


class Redaction(Case):
    def test_secrets_in_messages(self):
        self.write_token(JWT)
        self.api.token = JWT
        data = base64.b64encode(os.urandom(200)).decode()
        pem = f"-----BEGIN PRIVATE KEY-----\n{data}\n-----END PRIVATE KEY-----"
        for secret, message in ((JWT, f"invalid bearer token {JWT}!"),
                                ("token-number-one", "Authorization: Bearer token-number-one x"),
                                (data, f"cannot parse {data} as Secret"),
                                (data[:50], f"bad {pem} here")):
            for code in (400, 403):
                self.api.next(answering(code, status(code, "BadRequest", message)))
                answer = self.get()
                self.assertFalse(answer["ok"])
                self.assertNotIn(secret, answer["text"])
                self.assertIn("[redacted]", answer["text"])

    def test_names_and_digests_stay(self):
        message = "pods \"" + "a-long-name-" * 12 + "\" sha256:" + "0123456789abcdef" * 4
        self.api.next(answering(403, status(403, "Forbidden", message)))
        self.assertIn(message, self.get()["text"])

    def test_a_garbled_secret_is_not_quoted(self):
        self.api.next(answering(200, b'{"data":{"tls.key":"c2VjcmV0a2V5c2VjcmV0a2V5"'))
        self.assertNotIn("c2VjcmV0", self.get()["text"])


class Token(Case):
    def test_a_replaced_token_is_used(self):
        self.assertEqual(self.get()["kind"], "not found")
        self.write_token("token-number-two")
        self.api.token = "token-number-two"
        self.assertEqual(self.get()["kind"], "not found")
        self.assertEqual(self.api.seen()[-1][2]["Authorization"], "Bearer token-number-two")

    def test_a_token_replaced_while_the_call_is_under_way(self):
        def replaced(handler):
            self.write_token("token-number-two")
            self.api.token = "token-number-two"
            handler.send(401, status(401, "Unauthorized", "Unauthorized"))
        self.api.next(replaced)
        self.assertEqual(self.get()["kind"], "not found")

    def test_unauthorized_is_said_once(self):
        self.api.token = "another"
        self.fails(self.get(), "unauthorized", "get secrets/x in ns: 401 Unauthorized")
        self.assertEqual(len(self.api.seen()), 1)

    def test_a_token_file_that_is_gone_later(self):
        self.assertEqual(self.get()["kind"], "not found")
        os.remove(self.token_path)
        self.assertEqual(self.get()["kind"], "not found")

    def test_token_files_that_cannot_be_used(self):
        for content, text in ((b"", "is empty"), (b"a\0b", "NUL"), (b"a\nX-Header: b", "newline"),
                              (b"x" * (1 << 20) + b"y", "wanted at most")):
            with open(self.token_path, "wb") as file:
                file.write(content)
            self.open()
            answer = self.get()
            self.fails(answer, "settings", text)
            self.assertIn(self.token_path, answer["text"])
        os.remove(self.token_path)
        self.open()
        self.fails(self.get(), "settings", f"{self.token_path}: No such file")
        self.assertEqual(self.api.seen(), [])


class Lists(Case):
    def fill(self, count):
        for i in range(count):
            self.api.put(f"/api/v1/namespaces/ns/secrets/s{i:03}")

    def list(self, **more):
        return self.driver("list", resource="secrets", ns="ns", **more)

    def test_pages(self):
        self.fill(25)
        answer = self.list(page=10)
        self.assertEqual([o["metadata"]["name"] for o in answer["items"]],
                         [f"s{i:03}" for i in range(25)])
        self.assertEqual(answer["version"], str(self.api.version))
        self.assertEqual(len(self.api.seen()), 3)

    def test_an_empty_list(self):
        self.api.next(answering(200, {"items": None, "metadata": {"resourceVersion": "5"}}))
        answer = self.list()
        self.assertEqual((answer["items"], answer["version"]), ([], "5"))

    def test_selectors(self):
        self.list(label="a=b,c!=d e", field="metadata.name=x")
        self.assertIn("&labelSelector=a%3Db%2Cc%21%3Dd%20e&fieldSelector=metadata.name%3Dx",
                      self.api.seen()[0][1])

    def test_gone_in_the_middle_starts_again(self):
        self.fill(25)
        self.api.next(self.api.store, answering(410, status(410, "Expired", "too old")))
        answer = self.list(page=10)
        self.assertEqual(len(answer["items"]), 25)
        self.assertEqual(len(self.api.seen()), 5)

    def test_gone_again_and_again_comes_to_an_end(self):
        self.fill(25)
        self.api.next(*[self.api.store, answering(410)] * 10)
        self.fails(self.list(page=10), "gone")

    def test_large_objects_are_asked_for_in_smaller_pages(self):
        self.fill(25)
        self.api.next(answering(200, b" " * (33 << 20)))
        answer = self.list(page=10)
        self.assertEqual(len(answer["items"]), 25)
        self.assertIn("limit=2", self.api.seen()[1][1])

    def test_no_list(self):
        for body in ({}, {"items": {}, "metadata": {"resourceVersion": "1"}}, {"items": []}):
            self.api.next(answering(200, body))
            self.fails(self.list(), "protocol", "list secrets in ns: the answer is no list")


class Watches(Case):
    def watch(self, version="1", **more):
        self.assertTrue(self.driver("watch", resource="secrets", ns="ns", version=version,
                                    **more)["ok"])

    def wait(self, ms=10000, **more):
        return self.driver("wait", ms=ms, **more)

    def names(self, answer):
        return [(e["type"], e["object"]["metadata"]["name"]) for e in answer["events"]]

    def hold(self, *events, then=lambda handler: None, seconds=20):
        """A stream with these events, then open until the client goes."""
        done = threading.Event()
        self.addCleanup(done.set)

        def behaviour(handler):
            handler.begin_stream()
            for event in events:
                handler.event(*event)
            then(handler)
            done.wait(seconds)
        return behaviour

    def test_events(self):
        self.api.next(self.hold(("ADDED", "a", "2"), ("MODIFIED", "a", "3"), ("DELETED", "a", "4")))
        self.watch(field="metadata.name=a")
        got = []
        while len(got) < 3:
            answer = self.wait()
            self.assertTrue(answer["ok"], answer)
            got += self.names(answer)
        self.assertEqual(got, [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")])
        path = self.api.seen()[0][1]
        self.assertRegex(path, r"^/api/v1/namespaces/ns/secrets\?watch=1&allowWatchBookmarks=true"
                               r"&timeoutSeconds=\d+&resourceVersion=1"
                               r"&fieldSelector=metadata.name%3Da$")
        answer = self.wait(ms=50)
        self.assertEqual((answer["ok"], answer["count"], answer["live"]), (True, 0, True))

    def test_bytes_in_small_pieces_and_a_call_in_the_callback(self):
        def pieces(handler):
            line = json.dumps({"type": "ADDED", "object": {"metadata": {
                "name": "b", "resourceVersion": "9"}}}).encode() + b"\n"
            for at in range(0, len(line), 7):
                handler.write(line[at:at + 7])
        self.api.next(self.hold(then=pieces))
        self.watch()
        answer = self.wait(call=True)
        self.assertEqual(answer["count"], 1)
        self.assertEqual(answer["events"][1], {"called": True})

    def test_many_events_with_calls_in_between(self):
        events = [("ADDED", f"n{i}", str(i + 2)) for i in range(200)]
        self.api.next(self.hold(*events))
        self.watch()
        got = []
        while len(got) < 200:
            answer = self.wait(call=True)
            self.assertTrue(answer["ok"], answer)
            got += [e["object"]["metadata"]["name"] for e in answer["events"] if "type" in e]
        self.assertEqual(got, [f"n{i}" for i in range(200)])

    def test_a_stream_that_ends_is_taken_up_where_it_ended(self):
        def ends(handler):
            handler.begin_stream()
            handler.event("ADDED", "a", "5")
            handler.event("BOOKMARK", "", "77")

        def ends_in_the_middle(handler):
            handler.begin_stream()
            handler.event("ADDED", "b", "80")
            handler.write(b'{"type":"ADDED","object":{"metadata":{"name":"half"')
        self.api.next(ends, resetting, ends_in_the_middle, self.hold(("ADDED", "c", "81")))
        self.watch()
        got = []
        while len(got) < 3:
            answer = self.wait()
            self.assertTrue(answer["ok"], answer)
            got += self.names(answer)
        self.assertEqual([name for _, name in got], ["a", "b", "c"])
        versions = [r[1].split("resourceVersion=")[1] for r in self.api.seen()]
        self.assertEqual((versions[0], versions[1], versions[-1]), ("1", "77", "80"))

    def test_gone_as_an_event(self):
        def gone(handler):
            handler.write(json.dumps({"type": "ERROR", "object": status(
                410, "Expired", "too old resource version")}).encode() + b"\n")
        self.api.next(self.hold(("ADDED", "a", "5"), then=gone), self.hold(("ADDED", "b", "9")))
        self.watch()
        answer = self.wait()
        while answer["ok"]:
            answer = self.wait()
        self.fails(answer, "gone", "watch secrets in ns: 410 Expired: too old")
        self.assertTrue(answer["gone"])
        self.fails(self.wait(), "gone")  # until it is restarted
        self.driver("restart", index=0, version="8")
        self.assertEqual(self.names(self.wait()), [("ADDED", "b")])
        self.assertIn("resourceVersion=8", self.api.seen()[-1][1])

    def test_gone_as_an_answer(self):
        self.api.next(answering(410, status(410, "Gone", "too old")))
        self.watch()
        self.fails(self.wait(), "gone")

    def test_what_does_not_pass_is_said_and_tried_again(self):
        self.api.next(answering(403, status(403, "Forbidden", "cannot watch")),
                      self.hold(("ADDED", "a", "5")))
        self.watch()
        self.fails(self.wait(), "forbidden", "watch secrets in ns: 403 Forbidden: cannot watch")
        self.assertEqual(self.names(self.wait()), [("ADDED", "a")])

    def test_what_passes_is_not_said(self):
        self.api.next(answering(500), answering(429), self.hold(("ADDED", "a", "5")))
        self.watch()
        self.assertEqual(self.names(self.wait()), [("ADDED", "a")])
        self.api.stop()
        answer = self.wait(ms=50)
        self.assertTrue(answer["ok"])

    def test_garbled_events(self):
        for line in (b"{nonsense}\n", b'{"type":"ADDED"}\n', b'{"type":"ADDED","object":{}}\n',
                     b'{"type":"ODD","object":{"metadata":{"resourceVersion":"1"}}}\n', b"[]\n"):
            self.open()
            self.api.next(self.hold(then=lambda handler, line=line: handler.write(line),
                                    seconds=0.1))
            self.watch()
            self.fails(self.wait(), "protocol", "watch secrets in ns: found an event ")

    def test_an_event_that_never_ends(self):
        def endless(handler):
            for _ in range(200):
                handler.write(b"x" * 65536)
        self.api.next(self.hold(then=endless))
        self.watch()
        self.fails(self.wait(ms=60000), "too large", "found an event above")

    def test_silence(self):
        self.open(watch_idle_ms=300)
        self.api.next(self.hold(), self.hold(("ADDED", "a", "5")))
        self.watch()
        self.assertEqual(self.names(self.wait()), [("ADDED", "a")])

    def test_a_new_token_after_401(self):
        def replaced(handler):
            self.write_token("token-number-two")
            self.api.token = "token-number-two"
            handler.send(401, status(401, "Unauthorized", "Unauthorized"))
        self.api.next(replaced, self.hold(("ADDED", "a", "5")))
        self.watch()
        self.fails(self.wait(), "unauthorized")
        self.assertEqual(self.names(self.wait()), [("ADDED", "a")])

    def test_two_at_once(self):
        self.api.next(self.hold(("ADDED", "a", "5")), self.hold(("ADDED", "b", "6")))
        self.watch()
        self.watch()
        got = []
        while len(got) < 2:
            got += self.names(self.wait())
        self.assertEqual(sorted(name for _, name in got), ["a", "b"])

    def test_cancel(self):
        self.api.next(self.hold())
        self.watch()
        begin = time.monotonic()
        self.fails(self.wait(ms=30000, cancel_after=100), "cancelled")
        self.assertLess(time.monotonic() - begin, 20)


class Identity(Case):
    OTHER = "99999999-2222-3333-4444-555555555555"

    def test_the_first_write_pins(self):
        self.assertTrue(self.create()["ok"])
        self.assertEqual(self.api.identity_reads(), 1)
        self.assertEqual(self.driver("identity")["uid"], fake_api.UID)

    def test_writes_in_a_row_read_it_once(self):
        self.create()
        for _ in range(5):
            self.assertTrue(self.driver("patch", **SECRET, type="merge", object={})["ok"])
        self.assertEqual(self.api.identity_reads(), 1)

    def test_reads_do_not(self):
        self.get()
        self.driver("list", resource="secrets", ns="ns")
        self.driver("ask", resource="selfsubjectaccessreviews", object={})
        self.assertEqual(self.api.identity_reads(), 0)

    def test_another_cluster_is_not_written_to(self):
        self.assertTrue(self.driver("identity")["ok"])
        self.api.stop()  # a new cluster at the old address
        self.api.uid = self.OTHER
        self.api.start()
        for op, more in (("create", {"object": {"metadata": {"name": "x"}}}),
                         ("update", {"object": {}}), ("delete", {}),
                         ("patch", {"type": "apply", "object": {}})):
            answer = self.driver(op, **SECRET, **more)
            self.fails(answer, "foreign cluster", "this is another cluster")
            for part in (self.api.url, "the test", fake_api.UID, self.OTHER,
                         "nothing was written"):
                self.assertIn(part, answer["text"])
        self.assertEqual(self.api.seen(), [])
        self.fails(self.get(), "not found")  # reading stays possible
        self.fails(self.driver("identity"), "foreign cluster")

    def test_an_expected_uid(self):
        self.assertTrue(self.driver("expect", uid=self.OTHER)["ok"])
        self.fails(self.create(), "foreign cluster")
        self.assertEqual(self.api.seen(), [])
        self.fails(self.driver("expect", uid=fake_api.UID), "foreign cluster")
        self.open()
        self.assertTrue(self.driver("expect", uid=fake_api.UID)["ok"])
        self.assertTrue(self.create()["ok"])
        for uid in ("", "x" * 64, "a\nb"):
            self.fails(self.driver("expect", uid=uid), "settings")

    def test_who_may_not_read_it_writes_nothing(self):
        self.api.identity = answering(403, status(403, "Forbidden", "no"))
        self.fails(self.create(), "forbidden",
                   "create secrets/x in ns: get namespaces/kube-system: 403 Forbidden: no")
        self.assertEqual(self.api.seen(), [])

    def test_a_namespace_without_uid(self):
        for metadata in ({}, {"uid": ""}, {"uid": "x" * 64}, {"uid": 5}, {"uid": "a\0b"}):
            self.api.identity = answering(200, {"metadata": metadata})
            self.fails(self.create(), "protocol", "has no UID")

    def test_a_server_that_keeps_no_connection(self):
        def closing(behaviour):
            def closes(handler):
                handler.close_connection = True
                behaviour(handler)
            return closes
        self.api.identity = closing(answering(200, {"metadata": {"uid": fake_api.UID}},
                                              headers=[("Connection", "close")]))
        self.api.next(closing(self.api.store))
        answer = self.create()
        self.assertTrue(answer["ok"], answer)
        self.assertGreaterEqual(self.api.identity_reads(), 2)
        self.assertEqual(len(self.api.seen("POST")), 1)


class Trust(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rayfix-api-")
        self.driver = Driver()
        self.api = None

    def tearDown(self):
        self.driver.close()
        if self.api:
            self.api.stop()
        shutil.rmtree(self.folder)

    def get(self, **more):
        answer = self.driver("open", server=self.api.url, **more)
        self.assertTrue(answer["ok"], answer)
        return self.driver("get", **SECRET, budget=3000)

    def test_the_ca(self):
        self.api = FakeApi(self.folder)
        self.assertEqual(self.get(ca_file=self.api.certificate)["kind"], "not found")
        self.assertEqual(self.get(insecure=True)["kind"], "not found")
        other, _ = fake_api.make_certificate(self.folder, "other")
        for more in ({"ca_file": other}, {}):
            answer = self.get(**more)
            self.assertEqual(answer["kind"], "unreachable", answer)
            self.assertIn("certificate", answer["text"])
        self.assertEqual(len(self.api.seen()), 2)
        with open(other) as file:
            self.assertIn("certificate", self.get(ca_pem=file.read())["text"])
        with open(os.path.join(self.folder, "garbage"), "w") as file:
            file.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        self.assertFalse(self.get(ca_file=file.name)["ok"])

    def test_a_ca_that_is_replaced(self):
        self.api = FakeApi(self.folder)
        path = os.path.join(self.folder, "ca.crt")
        other, _ = fake_api.make_certificate(self.folder, "other")
        shutil.copy(other, path)
        self.assertEqual(self.get(ca_file=path)["kind"], "unreachable")
        shutil.copy(self.api.certificate, path)
        self.assertEqual(self.driver("get", **SECRET)["kind"], "not found")

    def test_the_name(self):
        self.api = FakeApi(self.folder, names=("only.example",))
        trust = {"ca_file": self.api.certificate}
        self.assertEqual(self.get(**trust, server_name="only.example")["kind"], "not found")
        self.assertEqual(self.api.seen()[-1][2]["Host"], f"127.0.0.1:{self.api.port}")
        answer = self.get(**trust, server_name="another.example")
        self.assertEqual(answer["kind"], "unreachable", answer)

    def test_a_client_certificate(self):
        client, key = fake_api.make_certificate(self.folder, "client")
        self.api = FakeApi(self.folder, client_ca=client)
        trust = {"ca_file": self.api.certificate}
        self.assertEqual(self.get(**trust, certificate_file=client, key_file=key)["kind"],
                         "not found")
        self.assertEqual(self.get(**trust)["kind"], "unreachable")
        other, other_key = fake_api.make_certificate(self.folder, "other")
        answer = self.get(**trust, certificate_file=client, key_file=other_key)
        self.assertFalse(answer["ok"])
        self.assertNotIn("BEGIN", answer["text"])
        encrypted = os.path.join(self.folder, "encrypted.key")
        subprocess.run(["openssl", "pkey", "-in", other_key, "-aes256", "-passout", "pass:x",
                        "-out", encrypted], check=True, capture_output=True)
        self.assertFalse(self.get(**trust, certificate_file=other, key_file=encrypted)["ok"])

    def test_old_tls_is_refused(self):
        self.api = FakeApi(self.folder)
        warnings.simplefilter("ignore", DeprecationWarning)
        self.api.context.minimum_version = ssl.TLSVersion.TLSv1
        self.api.context.maximum_version = ssl.TLSVersion.TLSv1_1
        self.api.context.set_ciphers("ALL:@SECLEVEL=0")
        # Not the machine's policy is tested but the client's own.
        lax = os.path.join(self.folder, "openssl.cnf")
        with open(lax, "w") as file:
            file.write("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
                       "MinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n")
        self.driver.close()
        self.driver = Driver(OPENSSL_CONF=lax)
        self.assertEqual(self.get(ca_file=self.api.certificate)["kind"], "unreachable")
        self.api.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.get(ca_file=self.api.certificate)["kind"], "not found")

    def test_plain_http_behind_https(self):
        class Quiet(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass
        plain = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
        thread = threading.Thread(target=plain.serve_forever, args=(0.02,))
        thread.start()
        self.driver("open", server=f"https://127.0.0.1:{plain.server_address[1]}")
        answer = self.driver("get", **SECRET, budget=300)
        plain.shutdown()
        plain.server_close()
        thread.join()
        self.assertEqual(answer["kind"], "unreachable", answer)
        self.assertIn("wrong version number", answer["text"])

    def test_servers_that_are_refused(self):
        for server in ("http://127.0.0.1:1", "127.0.0.1", "", "https://", "https://user:pw@host",
                       "https://host?x=y", "https://host/#x", "ftp://host", "https://ho st"):
            answer = self.driver("open", server=server)
            self.assertEqual(answer["kind"], "settings", server)
            self.assertIn("server: found", answer["text"])
            self.assertNotIn("pw", answer["text"])
        answer = self.driver("open", server="https://host", token="a\r\nX: y")
        self.assertEqual(answer["kind"], "settings")

    def test_a_prefix_stays(self):
        self.api = FakeApi(self.folder)
        self.driver("open", server=self.api.url + "/k8s/clusters/c-1/",
                    ca_file=self.api.certificate)
        self.driver("get", **SECRET)
        self.assertEqual(self.api.seen()[0][1],
                         "/k8s/clusters/c-1/api/v1/namespaces/ns/secrets/x")


class InPod(unittest.TestCase):
    def test_service_account(self):
        folder = tempfile.mkdtemp(prefix="rayfix-api-")
        self.addCleanup(shutil.rmtree, folder)
        api = FakeApi(folder)
        self.addCleanup(api.stop)
        api.token = "account-token"
        account = os.path.join(folder, "account")
        os.mkdir(account)
        shutil.copy(api.certificate, os.path.join(account, "ca.crt"))
        for name, text in (("token", "account-token"), ("namespace", "rayfix-system")):
            with open(os.path.join(account, name), "w") as file:
                file.write(text)
        os.environ.pop("KUBERNETES_SERVICE_HOST", None)
        driver = Driver()
        answer = driver("open_in_pod", dir=account)
        self.assertEqual(answer["kind"], "settings")
        self.assertIn("KUBERNETES_SERVICE_HOST is not set", answer["text"])
        driver.close()
        os.environ.update(KUBERNETES_SERVICE_HOST="127.0.0.1",
                          KUBERNETES_SERVICE_PORT=str(api.port),
                          HTTPS_PROXY="http://127.0.0.1:1")
        try:
            driver = Driver()
            answer = driver("open_in_pod", dir=account)
            self.assertEqual((answer["namespace"], answer["server"]), ("rayfix-system", api.url))
            self.assertEqual(driver("get", **SECRET)["kind"], "not found")
            os.remove(os.path.join(account, "token"))
            driver("open_in_pod", dir=account)
            self.assertIn("account/token: No such file", driver("get", **SECRET)["text"])
            driver.close()
        finally:
            for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HTTPS_PROXY"):
                del os.environ[name]


class Kubeconfig(unittest.TestCase):
    """What the settings of a kubeconfig lead to; reading it is tested in unit.cluster_kubeconfig."""

    def test_data_token_and_namespace(self):
        folder = tempfile.mkdtemp(prefix="rayfix-api-")
        self.addCleanup(shutil.rmtree, folder)
        client, key = fake_api.make_certificate(folder, "client")
        api = FakeApi(folder, client_ca=client)
        self.addCleanup(api.stop)
        api.token = "kubeconfig-token"

        def data(path):
            with open(path, "rb") as file:
                return base64.b64encode(file.read()).decode()
        root = {
            "current-context": "dev",
            "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u",
                                                     "namespace": "team"}}],
            "clusters": [{"name": "c", "cluster": {
                "server": api.url, "certificate-authority-data": data(api.certificate)}}],
            "users": [{"name": "u", "user": {
                "token": "kubeconfig-token", "client-certificate-data": data(client),
                "client-key": "client.key"}}]}
        driver = Driver()
        self.addCleanup(driver.close)
        path = os.path.join(folder, "config")
        answer = driver("open_kubeconfig", files=[{"path": path, "root": root}])
        self.assertTrue(answer["ok"], answer)
        self.assertEqual(answer["namespace"], "team")
        self.assertEqual(answer["origin"], f"context dev of {path}")
        self.assertEqual(driver("get", **SECRET)["kind"], "not found")


if __name__ == "__main__":
    unittest.main()
