"""What a refusal looks like, and that odd objects get an answer; test_every_rule has each rule."""

import unittest
from pathlib import Path

from kube import EXAMPLES, Story, create, dry_run, group, kubectl, manifest, ray_cluster
from proof import record
from server import needs_the_bed, server

BED_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TWO_GROUPS = BED_EXAMPLES / "two-groups-of-thirty.yaml"


class Rules(Story):

    def apply(self, path):
        """As docs/cluster.md shows it."""
        return kubectl("apply", "--dry-run=server", "-n", self.namespace, "-f", path, check=False)

    def test_two_groups_of_thirty_are_ten_too_many(self):
        refused = self.apply(TWO_GROUPS)
        self.assertDenied(refused, "rayfix refuses RayCluster 'two-groups': 1 violation\n",
                          "- max-workers (V04): total max workers 60 exceeds the limit of 50 "
                          "(cpu: 30, more: 30)")
        record("max-workers", **{"with": refused.err[refused.err.index("rayfix refuses"):].strip()})

    @needs_the_bed
    def test_without_rayfix_they_are_admitted(self):
        server().off()
        self.addCleanup(server().on)
        self.assertTrue(self.apply(TWO_GROUPS).ok)
        record("max-workers", without="two groups of 30 workers are admitted")

    def test_a_cluster_that_breaks_five_rules_is_told_all_five(self):
        refused = self.apply(EXAMPLES / "ray" / "raycluster-large.yaml")
        self.assertDenied(refused, "rayfix refuses RayCluster 'large': 5 violations\n")
        self.assertEqual(refused.err.count("\n- "), 5, "kubectl keeps the lines of the message")

    def test_the_examples_get_the_verdict_that_their_page_shows(self):
        verdicts = {}
        for name in ("raycluster-small.yaml", "raycluster-large.yaml", "raycluster-gpu.yaml",
                     "raycluster-autoscaling.yaml", "rayjob.yaml", "rayservice.yaml"):
            for thing in manifest(EXAMPLES / "ray" / name):
                thing["metadata"]["namespace"] = self.namespace
                ok = dry_run(thing, check=False).ok
                verdicts[thing["metadata"]["name"]] = "admitted" if ok else "denied"
        record("examples", verdicts=verdicts)
        self.assertEqual(verdicts, {"small": "admitted", "large": "denied", "gpu": "admitted",
                                    "autoscaling": "denied", "count": "admitted",
                                    "chat": "admitted"})

    def test_warnings_do_not_refuse(self):
        admitted = create(ray_cluster("warned", self.namespace,
                                      group("gpu", 1, 1, gpus=1, minimum=1)))
        for rule in ("fixed-size", "idle-gpus", "gpu-toleration"):
            self.assertIn(f"Warning: rayfix: {rule}: ", admitted.err)

    def test_a_value_of_a_wrong_type_is_refused_and_not_by_a_crash(self):
        for path, value in (("containers", "str"), ("maxReplicas", 10 ** 20), ("maxReplicas", -1),
                            ("maxReplicas", "many")):
            with self.subTest(path, value=value):
                workers = group("cpu", 1, 2)
                place = workers["template"]["spec"] if path == "containers" else workers
                place[path] = value
                refused = dry_run(ray_cluster("odd", self.namespace, workers), check=False)
                self.assertDenied(refused, path)
                self.assertNotIn("failed calling webhook", refused.err)


if __name__ == "__main__":
    unittest.main()
