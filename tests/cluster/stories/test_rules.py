"""Every validator against a real API server: denied with the message, nothing stored."""

import copy
import json

from kube import EXAMPLES, Story, create, dry_run, group, kubectl, ray_cluster
from proof import record
from server import needs_the_bed, server


def from_yaml(name):
    """The objects of a manifest of examples/ray, as kubectl reads them."""
    text = kubectl("create", "--dry-run=client", "-o", "json", "-f", EXAMPLES / "ray" / name).out
    decoder, found = json.JSONDecoder(), []
    while text.strip():
        thing, end = decoder.raw_decode(text.lstrip())
        found += thing["items"] if thing["kind"] == "List" else [thing]
        text = text.lstrip()[end:]
    return found


class Rules(Story):

    def refused(self, cluster):
        result = dry_run(cluster, check=False)
        self.assertFalse(result.ok, "was admitted")
        self.assertFalse(create(cluster, check=False).ok)
        self.assertEqual(kubectl("get", "rayclusters", "-n", self.namespace, "-o", "name").out, "")
        return result.err

    def test_two_groups_of_thirty_are_one_too_many(self):
        message = self.refused(ray_cluster("large", self.namespace, group("cpu", 1, 30),
                                           group("more", 1, 30)))
        self.assertIn("total max workers 60 exceeds the limit of 50", message)
        self.assertIn("max-workers (V04)", message)
        self.assertIn("\n", message.strip(), "kubectl keeps the lines of the message")
        record("max-workers", **{"with": message.strip()})

    def test_each_bad_cluster_is_refused_by_its_rule(self):
        good = ray_cluster("good", self.namespace, group("cpu", 1, 2))
        self.assertTrue(dry_run(good).ok)
        tolerant = group("cpu", 1, 2)
        tolerant["template"]["spec"]["tolerations"] = [{"operator": "Exists"}]
        negative = group("cpu", 1, 2)
        negative["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "-1Gi"
        bad = {
            "V01": group("cpu", 1, 2, cpu="17"),
            "V02": group("cpu", 1, 2, memory="96Gi"),
            "V03": group("gpu", 1, 2, gpus=8),
            "V04": group("cpu", 1, 51),
            "V05": group("gpu", 1, 6, gpus=4),
            "V06/V07": group("cpu", 1, 2, cpu="200m", memory="256Mi"),
            "V13": tolerant,
            "V15": negative,
        }
        for rule, workers in bad.items():
            with self.subTest(rule):
                self.assertIn(f"({rule})", self.refused(
                    ray_cluster("bad", self.namespace, copy.deepcopy(workers))))

    def test_warnings_arrive_and_do_not_refuse(self):
        cluster = ray_cluster("warned", self.namespace, group("gpu", 1, 1, gpus=1, minimum=1))
        del cluster["metadata"]["labels"]
        result = create(cluster)
        self.assertIn("Warning: ", result.err)
        for rule in ("fixed-size", "idle-gpus", "gpu-toleration"):
            self.assertIn(rule, result.err)

    def test_jobs_and_services_are_judged_as_well(self):
        spec = ray_cluster("x", self.namespace, group("cpu", 1, 60))["spec"]
        job = {"apiVersion": "ray.io/v1", "kind": "RayJob",
               "metadata": {"name": "job", "namespace": self.namespace},
               "spec": {"entrypoint": "true", "rayClusterSpec": spec}}
        service = {"apiVersion": "ray.io/v1", "kind": "RayService",
                   "metadata": {"name": "service", "namespace": self.namespace},
                   "spec": {"serveConfigV2": "", "rayClusterConfig": spec}}
        for thing in (job, service):
            with self.subTest(thing["kind"]):
                self.assertDenied(dry_run(thing, check=False), "V04", "total max workers 60")

    @needs_the_bed
    def test_without_rayfix_all_of_it_is_admitted(self):
        server().off()
        self.addCleanup(server().on)
        self.assertTrue(dry_run(ray_cluster("large", self.namespace, group("cpu", 1, 30),
                                            group("more", 1, 30))).ok)
        record("max-workers", without="admitted")

    def test_the_examples_get_the_verdict_that_their_page_shows(self):
        verdicts = {}
        for name in ("raycluster-small.yaml", "raycluster-large.yaml", "raycluster-gpu.yaml",
                     "raycluster-autoscaling.yaml", "rayjob.yaml", "rayservice.yaml"):
            for thing in from_yaml(name):
                thing["metadata"]["namespace"] = self.namespace
                verdicts[f"{name}/{thing['metadata']['name']}"] = dry_run(thing, check=False).ok
        record("examples", verdicts=verdicts)
        self.assertTrue(verdicts["raycluster-small.yaml/small"], verdicts)
        self.assertFalse(verdicts["raycluster-large.yaml/large"], verdicts)

    def test_a_value_of_a_wrong_type_is_refused_and_not_by_a_crash(self):
        for path, value in (("containers", "str"), ("containers", [])):
            cluster = ray_cluster("odd", self.namespace, group("cpu", 1, 2))
            cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"][path] = value
            result = dry_run(cluster, check=False)
            self.assertNotIn("failed calling webhook", result.err)
        cluster = ray_cluster("odd", self.namespace, group("cpu", 1, 2))
        cluster["spec"]["workerGroupSpecs"][0]["maxReplicas"] = 10 ** 20
        self.assertNotIn("failed calling webhook", dry_run(cluster, check=False).err)

    def test_diff_and_server_side_apply_work(self):
        cluster = ray_cluster("applied", self.namespace, group("cpu", 1, 2))
        kubectl("apply", "--server-side", "-f", "-", stdin=cluster)
        same = kubectl("diff", "--server-side", "-f", "-", stdin=cluster, check=False)
        self.assertEqual((same.code, same.out), (0, ""))
        cluster["spec"]["workerGroupSpecs"][0]["maxReplicas"] = 60
        self.assertDenied(kubectl("apply", "--server-side", "-f", "-", stdin=cluster, check=False),
                          "V04")
        self.assertDenied(kubectl("diff", "--server-side", "-f", "-", stdin=cluster, check=False),
                          "V04")
