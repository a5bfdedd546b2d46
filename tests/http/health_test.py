"""Probes on both ports; metrics and version on the plain one."""

import json
import re
import unittest

from server_process import Server, configuration, encoded, main, review, wait_until

FAMILIES = (
    "rayfix_admission_requests_total", "rayfix_admission_duration_seconds",
    "rayfix_rule_results_total", "rayfix_patch_operations_total", "rayfix_request_bytes_total",
    "rayfix_response_bytes_total", "rayfix_requests_in_flight", "rayfix_request_bytes_in_flight",
    "rayfix_requests_shed_total", "rayfix_certificate_expiry_timestamp_seconds",
    "rayfix_config_last_reload_successful", "rayfix_config_last_reload_success_timestamp_seconds",
    "rayfix_certificate_last_reload_successful", "rayfix_build_info",
    "controller_runtime_webhook_requests_total", "controller_runtime_webhook_latency_seconds",
    "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
    "process_max_fds", "process_start_time_seconds")

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')


def family_of(name):
    return re.sub(r"_(bucket|sum|count)$", "", name)


class HealthTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(configuration())

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def check_probes(self, tls):
        def get(*arguments):
            return self.server.get(*arguments, tls=tls)
        status, headers, body = get("/readyz")
        self.assertEqual((status, headers["Content-Type"], headers["Connection"], body),
                         (200, "text/plain; charset=utf-8", None, "ok"))
        self.assertEqual(get("/livez")[::2], (200, "ok"))
        self.assertEqual(get("/livez?verbose")[2], "[+]ping ok\nlivez check passed\n")
        for query in ("?verbose", "?verbose=true"):
            self.assertEqual(
                get("/readyz" + query)[::2],
                (200, "[+]certificate ok\n[+]configuration ok\n[+]serving ok\n[+]shutdown ok\n"
                      "readyz check passed\n"))
        for path in ("/livez", "/readyz"):
            status, headers, body = get(path, "HEAD")
            self.assertEqual((status, headers["Content-Length"], body), (200, "2", ""))
            for method in ("POST", "PUT", "DELETE"):
                status, headers, _ = get(path, method)
                self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), method)

    def test_probes_on_the_plain_port(self):
        self.check_probes(tls=False)

    def test_probes_by_tls(self):
        self.check_probes(tls=True)

    def test_only_probes_by_tls(self):
        for path in ("/metrics", "/version", "/", "/readyz/", "/readyzx", "/READYZ", "/readyz%00x",
                     "/livez%20"):
            self.assertEqual(self.server.get(path, tls=True)[0], 404, path)
        self.assertEqual(self.server.get("/mutate", tls=True)[1]["Allow"], "POST")

    def settled(self):
        """What is counted of requests, once none is open."""
        wait_until(lambda: self.server.metrics()["rayfix_requests_in_flight"] == 0 and
                   self.server.metrics()["rayfix_connections"] == 0, "no request, no connection")
        return {name: value for name, value in self.server.metrics().items()
                if name.startswith(("rayfix_", "controller_runtime_"))}

    def test_probes_are_not_counted(self):
        before = self.settled()
        for path in ("/livez", "/readyz?verbose"):
            self.server.get(path, tls=True)
            self.server.get(path, "HEAD", tls=True)
            self.server.get(path, "POST", tls=True, body=b"x" * 100000)
        self.assertEqual(self.settled(), before)
        self.server.get("/other", tls=True)
        self.assertNotEqual(self.settled(), before)

    def test_probes_and_reviews_on_one_connection(self):
        client = self.server.kubelet()
        for _ in range(3):
            self.assertEqual(self.server.post(encoded(review()), client=client)[0], 200)
            self.assertEqual(self.server.post(b"x" * 100000, "/readyz", client=client)[0], 405)
            client.request("GET", "/readyz")
            answer = client.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, b"ok"))
        client.close()
        self.assertEqual(self.settled()["rayfix_request_bytes_in_flight"], 0)

    def test_version(self):
        status, headers, body = self.server.get("/version")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        self.assertIn("version", json.loads(body))

    def test_others(self):
        self.assertEqual(self.server.get("/mutate")[0], 404)
        self.assertEqual(self.server.get("/metrics", "POST")[0], 405)

    def parse(self, text):
        """{family: type}, [(name, labels, value)]; checks the form on the way."""
        types, helps, samples = {}, set(), []
        for line in text.splitlines():
            if line.startswith("# HELP "):
                helps.add(line.split(" ")[2])
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.assertNotIn(name, types)
                types[name] = kind
            else:
                match = SAMPLE.fullmatch(line)
                self.assertTrue(match, line)
                name = match.group(1)
                family = name if name in types else family_of(name)
                self.assertIn(family, types)
                self.assertEqual(family, list(types)[-1], "samples follow their family")
                samples.append((name, match.group(2) or "", float(match.group(3))))
        self.assertEqual(helps, set(types))
        self.assertEqual(len(samples), len({sample[:2] for sample in samples}))
        return types, samples

    def test_metrics_form(self):
        status, headers, text = self.server.get("/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        types, samples = self.parse(text)
        for family in FAMILIES:
            self.assertIn(family, types)
        for family in (name for name, kind in types.items() if kind == "histogram"):
            self.check_histogram(family, samples)

    def check_histogram(self, family, samples):
        for path in {re.sub(r',?le="[^"]*"', "", labels) for name, labels, _ in samples
                     if name == family + "_bucket"}:
            buckets = [(labels, value) for name, labels, value in samples
                       if name == family + "_bucket" and labels.startswith(path + ",")]
            values = [value for _, value in buckets]
            self.assertEqual(values, sorted(values), "cumulative")
            self.assertIn('le="+Inf"', buckets[-1][0])
            self.assertIn('le="5e-05"', buckets[0][0])
            self.assertIn('le="10"', buckets[-2][0])
            count = [value for name, labels, value in samples
                     if (name, labels) == (family + "_count", path)]
            self.assertEqual(count, [values[-1]])

    def test_counts(self):
        before = self.server.metrics()
        for _ in range(3):
            self.server.post(encoded(review()))
        self.server.post(encoded(review())[:300])
        self.server.post(b"{}")
        self.server.post(encoded(review(operation="UPDATE")), "/validate")
        after = self.server.metrics()

        def more(name):
            return after[name] - before.get(name, 0)
        total = "rayfix_admission_requests_total"
        self.assertEqual(
            more(total + '{path="mutate",operation="CREATE",allowed="true",code="200"}'), 3)
        self.assertEqual(
            more(total + '{path="mutate",operation="other",allowed="false",code="400"}'), 1)
        self.assertEqual(
            more(total + '{path="validate",operation="UPDATE",allowed="true",code="200"}'), 1)
        webhook = "controller_runtime_webhook_requests_total"
        self.assertEqual(more(webhook + '{webhook="/mutate",code="200"}'), 4)
        self.assertEqual(more(webhook + '{webhook="/mutate",code="400"}'), 1)
        self.assertEqual(more('rayfix_rule_results_total{rule="wait-gcs",result="applied"}'), 3)
        self.assertGreater(more("rayfix_patch_operations_total"), 3)
        self.assertGreater(more("rayfix_request_bytes_total"), 3 * len(encoded(review())))
        self.assertGreater(more("rayfix_response_bytes_total"), 0)
        self.assertEqual(more('rayfix_admission_duration_seconds_count{path="mutate"}'), 4)
        # A request ends only after its client has the answer.
        wait_until(lambda: self.server.metrics()["rayfix_requests_in_flight"] == 0, "no request")
        self.assertGreater(after["rayfix_certificate_expiry_timestamp_seconds"], 1.7e9)
        self.assertEqual(after["rayfix_config_last_reload_successful"], 1)
        self.assertGreater(after["process_resident_memory_bytes"], 1e6)
        self.assertGreater(after["process_open_fds"], 5)
        self.assertGreater(after["process_start_time_seconds"], 1.6e9)

    def test_unready_while_leaving(self):
        with Server(configuration(shutdown={"delay": "60s"})) as server:
            client = server.client()
            server.terminate()
            server.wait_for_log("shutting down")
            for tls in (False, True):
                status, headers, text = server.get("/readyz", tls=tls)
                self.assertEqual((status, text),
                                 (503, "[+]certificate ok\n[+]configuration ok\n[+]serving ok\n"
                                       "[-]shutdown failed: shutting down\nreadyz check failed\n"))
                self.assertEqual(headers["Connection"], "close" if tls else None)
                self.assertEqual(server.get("/readyz", "HEAD", tls)[::2], (503, ""))
                self.assertEqual(server.get("/livez", tls=tls)[0], 200)
            # It serves on, but asks clients to leave; new ones too.
            status, headers, _ = server.post(encoded(review()), client=client)
            self.assertEqual((status, headers["Connection"]), (200, "close"))
            client.close()
            self.assertEqual(server.post(encoded(review()))[0], 200)
            server.expected_code = 1
            server.terminate()  # a second signal ends it at once
            self.assertEqual(server.wait(), 1)


if __name__ == "__main__":
    main()
