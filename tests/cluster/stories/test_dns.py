"""dns-config: how many queries CoreDNS sees for one lookup of the head's service."""

import re
import urllib.request

from bed.paths import NODE_ADDRESS
from kube import Story, applied
from proof import record
from real import needs_ray
from real_pod import ray_pod, run_in, run_pod
from server import needs_the_bed, server

LOOKUPS = 20


def queries():
    with urllib.request.urlopen(f"http://{NODE_ADDRESS}:9153/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return sum(float(value) for value in re.findall(
        r"^coredns_dns_requests_total\{.*\} (\S+)$", text, re.MULTILINE))


@needs_ray
@needs_the_bed
class Lookups(Story):

    def queries_per_lookup(self):
        pod = run_pod(ray_pod(self.namespace, "worker", "worker", "sleep 600"))
        name = "rayfix.rayfix-system.svc.cluster.local"
        program = (f"import socket\nfor _ in range({LOOKUPS}):\n"
                   f"  socket.getaddrinfo('{name}', 6379, type=socket.SOCK_STREAM)")
        before = queries()
        run_in(pod, "python3", "-c", program)
        return pod, (queries() - before) / LOOKUPS

    def test_without_rayfix(self):
        server().off()
        self.addCleanup(server().on)
        _, count = self.queries_per_lookup()
        record("dns-config", without={"queries per lookup": count})
        self.assertGreaterEqual(count, 6)

    def test_with_rayfix(self):
        pod, count = self.queries_per_lookup()
        self.assertIn("dns-config", applied(pod))
        record("dns-config", **{"with": {"queries per lookup": count}})
        self.assertLessEqual(count, 2)
        search = run_in(pod, "getent", "hosts", "rayfix.rayfix-system").out
        self.assertIn("10.96.0.20", search, "names of the search list still resolve")
