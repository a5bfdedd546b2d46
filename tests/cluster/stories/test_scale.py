"""Many pods at once: no failed call, nothing admitted unseen, and how long the API server waits."""

import re

from configured import with_configuration
from kube import (Story, add_node, applied, create, group, kubectl, patch, pods, ray_cluster,
                  wait_until)
from proof import record
from server import needs_the_bed

WORKERS = 200
CLUSTERS = 10
METRIC = re.compile(r'^apiserver_admission_webhook_(\w+)\{(.*)\} (\S+)$', re.MULTILINE)
DURATION = "admission_duration_seconds"
NEVER = ("fail_open_count", "rejection_count")


def webhook_metrics():
    """{(metric, webhook, le or error type): value} of the API server, summed over other labels."""
    found = {}
    for name, labels, value in METRIC.findall(kubectl("get", "--raw", "/metrics").out):
        pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if "rayfix" in pairs.get("name", ""):
            key = (name, pairs["name"], pairs.get("le") or pairs.get("error_type"))
            found[key] = found.get(key, 0) + float(value)
    return found


def difference(after, before):
    return {key: value - before.get(key, 0) for key, value in after.items()}


def quantile(metrics, webhook, share):
    """As histogram_quantile of Prometheus, in milliseconds: calls are taken as spread evenly over
    the bucket that holds this share of them. Its buckets end at 5, 25, 100, 500 ms, ..."""
    buckets = sorted((float(le), value) for (name, hook, le), value in metrics.items()
                     if name == DURATION + "_bucket" and hook == webhook)
    wanted, lower, below = share * buckets[-1][1], 0.0, 0.0
    for bound, value in buckets:
        if value >= wanted and value > below:
            if bound == float("inf"):
                return 1000 * lower
            return 1000 * (lower + (bound - lower) * (wanted - below) / (value - below))
        lower, below = bound, value
    return None


@needs_the_bed
class Many(Story):

    def setUp(self):
        super().setUp()
        with_configuration(self, validators={"max-workers": {"max": 1000}})
        for number in range(2):
            name = f"{self.namespace[-30:].strip('-')}-{number}"
            add_node(name, labels={"pool": self.namespace})
            self.addCleanup(kubectl, "delete", "node", name)
        self.before = webhook_metrics()

    def workers(self, replicas, maximum=None):
        each = group("cpu", replicas, maximum, cpu="500m", memory="1Gi")
        each["template"]["spec"]["nodeSelector"] = {"pool": self.namespace}
        each["template"]["spec"]["tolerations"] = []
        return each

    def wait_for_workers(self, count, seconds):
        def names():
            out = kubectl("get", "pods", "-n", self.namespace, "-l", "ray.io/node-type=worker",
                          "-o", "name").out
            return len(out.split()) == count
        wait_until(f"{count} workers", names, seconds)

    def check(self, what):
        for pod in pods(self.namespace, "ray.io/node-type=worker"):
            self.assertIn("wait-gcs", applied(pod))
        metrics = difference(webhook_metrics(), self.before)
        bad = {key: value for key, value in metrics.items() if key[0] in NEVER and value}
        self.assertEqual(bad, {}, "no failed call, nothing let through unseen, nothing refused")
        rows = {}
        for (name, hook, _), calls in metrics.items():
            if name == DURATION + "_count" and calls:
                total = metrics[(DURATION + "_sum", hook, None)]
                rows[hook.partition(".")[0]] = {
                    "calls": int(calls), "mean ms": round(1000 * total / calls, 2),
                    "p50 ms": round(quantile(metrics, hook, 0.5), 1),
                    "p99 ms": round(quantile(metrics, hook, 0.99), 1)}
        self.assertLessEqual({"pods-mutate", "pods-validate", "ray-validate-create"}, set(rows))
        record("scale", **{what: rows, "failed calls, fail-opens, refusals": 0, "how": (
            "apiserver_admission_webhook_admission_duration_seconds of the API server; p50 and p99 "
            "interpolated within its buckets (5, 25, 100, 500 ms) as histogram_quantile does")})

    def test_from_one_worker_to_two_hundred(self):
        create(ray_cluster("wide", self.namespace, self.workers(1, WORKERS)))
        self.wait_for_workers(1, 30)
        patch("raycluster", "wide", self.namespace,
              [{"op": "replace", "path": "/spec/workerGroupSpecs/0/replicas", "value": WORKERS}],
              True, "json")
        self.wait_for_workers(WORKERS, 180)
        self.check(f"1 to {WORKERS} workers")

    def test_ten_clusters_at_once(self):
        create({"apiVersion": "v1", "kind": "List", "items": [
            ray_cluster(f"one-of-many-{number}", self.namespace, self.workers(5))
            for number in range(CLUSTERS)]})
        self.wait_for_workers(5 * CLUSTERS, 120)
        self.check(f"{CLUSTERS} clusters of 5 workers")
