"""Many pods at once: no failed call, nothing admitted unseen, and how long the API server waits."""

import re

from kube import Story, add_node, applied, create, group, kubectl, patch, pods, ray_cluster
from kube import wait_until
from proof import record
from server import needs_the_bed, server

WORKERS = 200
CLUSTERS = 10
ROOMY = {"apiVersion": "rayfix.io/v1alpha1", "kind": "Configuration",
         "validators": {"max-workers": {"max": 1000}}}
METRIC = re.compile(r'^apiserver_admission_webhook_(\w+)\{(.*)\} (\S+)$', re.MULTILINE)


def webhook_metrics():
    """{(metric, webhook, le): value} of the API server, summed over the other labels."""
    found = {}
    for name, labels, value in METRIC.findall(kubectl("get", "--raw", "/metrics").out):
        pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if "rayfix" in pairs.get("name", ""):
            key = (name, pairs["name"], pairs.get("le"))
            found[key] = found.get(key, 0) + float(value)
    return found


def difference(after, before):
    return {key: value - before.get(key, 0) for key, value in after.items()}


def quantile(metrics, webhook, share):
    """The upper bound, in milliseconds, of the bucket that holds this share of the calls."""
    buckets = sorted((float(le), value) for (name, hook, le), value in metrics.items()
                     if name == "admission_duration_seconds_bucket" and hook == webhook)
    total = buckets[-1][1]
    for bound, value in buckets:
        if value >= share * total:
            return bound * 1000
    return None


@needs_the_bed
class Many(Story):

    def setUp(self):
        super().setUp()
        server().stop()
        server().start(ROOMY)
        self.addCleanup(self.default_rules)
        for number in range(2):
            name = f"{self.namespace[-30:].strip('-')}-{number}"
            add_node(name, labels={"pool": self.namespace})
            self.addCleanup(kubectl, "delete", "node", name)
        self.before = webhook_metrics()

    def default_rules(self):
        server().stop()
        server().start()

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
        for (name, hook, _), value in metrics.items():
            if name in ("fail_open_count", "rejection_count"):
                self.assertEqual(value, 0, (name, hook))
        hook = "pods-mutate.rayfix.io"
        calls = metrics[("admission_duration_seconds_count", hook, None)]
        total = metrics[("admission_duration_seconds_sum", hook, None)]
        record("scale", **{what: {
            "calls": int(calls), "mean ms": round(1000 * total / calls, 2),
            "p50 ms, at most": quantile(metrics, hook, 0.5),
            "p99 ms, at most": quantile(metrics, hook, 0.99)}})

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
