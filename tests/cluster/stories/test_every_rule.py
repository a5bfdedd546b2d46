"""Every rule against a real API server: what it refuses passes without rayfix and is denied with
it, in words that say where, what was found and what is wanted; what it admits passes."""

import copy
import unittest
from dataclasses import dataclass

from configured import with_configuration
from kube import ROOT, Story, bare_worker, group, kubectl, ray_cluster, ray_job
from proof import record
from server import needs_the_bed, server
from test_budgets import budget

GROUP = "spec.workerGroupSpecs[0]"
SPEC = f"{GROUP}.template.spec"
RESOURCES = f"{SPEC}.containers[0].resources"
TOLERATES_GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@dataclass
class Row:
    rule: str
    bad: dict
    good: dict
    path: str
    found: str
    wanted: str


def cluster(*groups):
    return ray_cluster("x", None, *groups)


def edited(thing, path, value):
    """A copy in which the member at path (a/0/b) has another value."""
    thing = copy.deepcopy(thing)
    *parents, last = path.split("/")
    at = thing
    for step in parents:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    at[last] = value
    return thing


def worker(path, value, **more):
    """A cluster of one group; path is below its template's spec."""
    return cluster(edited(group("cpu", 1, 2, **more), f"template/spec/{path}", value))


def gpu_group(*arguments, **more):
    """A group of GPU workers that nothing is said against."""
    made = group("gpu", *arguments, **more)
    made["template"]["spec"]["tolerations"].append(TOLERATES_GPU)
    return made


def pod(**more):
    return bare_worker("x", None, **more)


def job(*groups):
    return ray_job("x", None, *groups)


def service(*groups):
    return {"apiVersion": "ray.io/v1", "kind": "RayService",
            "metadata": {"name": "x", "labels": {"app": "stories"}},
            "spec": {"serveConfigV2": "", "rayClusterConfig": cluster(*groups)["spec"]}}


PLAIN = cluster(group("cpu", 1, 2))
EVERYTHING = [{"operator": "Exists"}]
ONLY_EVICTION = [{"operator": "Exists", "effect": "NoExecute"}]

DENIED = [
    Row("cpu-limit (V01)", cluster(group("cpu", 1, 2, cpu="16001m")),
        cluster(group("cpu", 1, 2, cpu="16.0")),
        f"{RESOURCES}.limits.cpu", '"16001m"', "at most 16"),
    Row("cpu-limit (V01)", pod(cpu="17"), pod(cpu="16"),
        "spec.containers[0].resources.limits.cpu", '"17"', "at most 16"),
    Row("memory-limit (V02)", cluster(group("cpu", 1, 2, memory="96Gi")),
        cluster(group("cpu", 1, 2, memory="65536Mi")),
        f"{RESOURCES}.limits.memory", '"96Gi"', "at most 64Gi"),
    Row("memory-limit (V02)", pod(memory="65Gi"), pod(memory="64Gi"),
        "spec.containers[0].resources.limits.memory", '"65Gi"', "at most 64Gi"),
    Row("gpu-limit (V03)", cluster(gpu_group(1, 2, gpus=8)), cluster(gpu_group(1, 2, gpus=4)),
        f"{SPEC}.containers", "8", "at most 4"),
    Row("gpu-limit (V03)", pod(gpus=8), pod(gpus=4), "spec.containers", "8", "at most 4"),
    Row("max-workers (V04)", cluster(group("cpu", 1, 30), group("more", 1, 30)),
        cluster(group("cpu", 1, 30), group("more", 1, 20)),
        "spec.workerGroupSpecs", "60", "at most 50"),
    Row("max-workers (V04)", job(group("cpu", 1, 51)), job(group("cpu", 1, 50)),
        "spec.rayClusterSpec.workerGroupSpecs", "51", "at most 50"),
    Row("max-workers (V04)", service(group("cpu", 1, 51)), service(group("cpu", 1, 50)),
        "spec.rayClusterConfig.workerGroupSpecs", "51", "at most 50"),
    Row("max-gpus (V05)", cluster(gpu_group(1, 6, gpus=4)), cluster(gpu_group(1, 5, gpus=4)),
        "spec.workerGroupSpecs", "24", "at most 20"),
    Row("min-requests (V06/V07)", cluster(group("cpu", 1, 2, cpu="200m")),
        cluster(group("cpu", 1, 2, cpu="500m")),
        f"{RESOURCES}.requests.cpu", '"200m"', "at least 500m"),
    Row("min-requests (V06/V07)", cluster(group("cpu", 1, 2, memory="256Mi")),
        cluster(group("cpu", 1, 2, memory="512Mi")),
        f"{RESOURCES}.requests.memory", '"256Mi"', "at least 512Mi"),
    Row("repair-taints (V13)", worker("tolerations", EVERYTHING),
        worker("tolerations", ONLY_EVICTION), f"{SPEC}.tolerations[0]", "{operator: Exists}",
        "no toleration of these taints with effect NoSchedule"),
    Row("repair-taints (V13)", edited(pod(), "spec/tolerations", EVERYTHING),
        edited(pod(), "spec/tolerations", ONLY_EVICTION), "spec.tolerations[0]",
        "{operator: Exists}", "no toleration of these taints with effect NoSchedule"),
    Row("disruption-budget (V14)", budget(None, maxUnavailable=1), budget(None, minAvailable=1),
        "spec.maxUnavailable", "1", "minAvailable"),
    Row("disruption-budget (V14)", budget(None, minAvailable="50%"), budget(None, minAvailable=50),
        "spec.minAvailable", '"50%"', "minAvailable"),
    Row("quantities (V15)", worker("containers/0/resources/limits/memory", "-1Gi"), PLAIN,
        f"{RESOURCES}.limits.memory", '"-1Gi"', "quantity"),
]

PRIVILEGED = worker("containers/0/securityContext", {"privileged": True})
UNPRIVILEGED = worker("containers/0/securityContext", {"privileged": False})
# Warnings by default, or off; refused when the configuration says so.
WARNED = [
    Row("required-labels (V08)", edited(cluster(
        edited(group("cpu", 1, 2), "template/metadata/labels", {})), "metadata/labels", {}), PLAIN,
        "metadata.labels[app]", "no such label", "app"),
    Row("gpu-toleration (V09)", cluster(group("gpu", 1, 2, gpus=1)),
        cluster(gpu_group(1, 2, gpus=1)), f"{SPEC}.tolerations", "1 toleration",
        "nvidia.com/gpu"),
    Row("qos-guaranteed (V10)", worker("containers/0/resources/requests/cpu", "500m"), PLAIN,
        f"{RESOURCES}.requests.cpu", "500m", "1"),
    Row("fixed-size (V11)", cluster(group("cpu", 3, 3, minimum=3)),
        cluster(group("cpu", 3, 3, minimum=2)), f"{GROUP}.minReplicas",
        "minReplicas and maxReplicas 3", "minReplicas below maxReplicas"),
    Row("idle-gpus (V12)", cluster(gpu_group(1, 2, gpus=1, minimum=1)),
        cluster(gpu_group(1, 2, gpus=1)), f"{GROUP}.minReplicas", "1", "0"),
    Row("pod-security (PS)", PRIVILEGED, UNPRIVILEGED,
        f"{SPEC}.containers[0].securityContext.privileged", "true", "false"),
]
STRICT = {
    "mutators": {"gpu-tolerations": {"mode": "off"}},
    "validators": {name: {"action": "deny"} for name in (
        "required-labels", "qos-guaranteed", "fixed-size", "idle-gpus", "pod-security")},
}


def apply(*things, namespace, dry=True):
    """kubectl apply of several, each under a name of its own."""
    things = copy.deepcopy(list(things))
    for number, thing in enumerate(things):
        thing["metadata"].update(name=f"x{number}", namespace=namespace)
    more = ["--dry-run=server"] if dry else []
    return kubectl("apply", *more, "-f", "-", check=False, stdin={
        "apiVersion": "v1", "kind": "List", "items": things})


class EveryRule(Story):
    answers = {}

    def assertRefused(self, row):
        for dry in (True, False):
            refused = apply(row.bad, namespace=self.namespace, dry=dry)
            self.assertDenied(refused, f"- {row.rule}: ", f"Path: {row.path}; found: {row.found}",
                              "wanted: ", row.wanted, "Fix: ", "Exempt: ")
        [message] = [line for line in refused.err.splitlines() if line.startswith("- ")]
        message = message.partition(": ")[2].partition(" Fix: ")[0]
        record("rules", answers={row.rule: self.answers.setdefault(row.rule, message)})

    def assertNothingStored(self):
        kinds = "rayclusters,rayjobs,rayservices,pods,poddisruptionbudgets"
        self.assertEqual(kubectl("get", kinds, "-n", self.namespace, "-o", "name").out, "")

    def test_every_file_of_validators_has_a_row(self):
        rules = {row.rule.split()[0] for row in DENIED + WARNED} | {"repair-lifecycle"}
        files = {path.stem.replace("_", "-") for path in (ROOT / "validators").glob("*.c")}
        self.assertEqual(rules, files)

    @needs_the_bed
    def test_without_rayfix_every_bad_object_is_admitted(self):
        server().off()
        self.addCleanup(server().on)
        bad = [row.bad for row in DENIED + WARNED]
        admitted = apply(*bad, namespace=self.namespace)
        self.assertTrue(admitted.ok, admitted.err)
        self.assertEqual(admitted.out.count("(server dry run)"), len(bad))
        record("rules", without=f"{len(bad)} of {len(bad)} bad objects admitted")

    def test_every_bad_object_is_denied_and_nothing_is_stored(self):
        for row in DENIED:
            with self.subTest(row.rule, path=row.path):
                self.assertRefused(row)
        self.assertNothingStored()

    def test_every_good_object_is_admitted_without_a_warning(self):
        good = [row.good for row in DENIED + WARNED]
        admitted = apply(*good, namespace=self.namespace)
        self.assertTrue(admitted.ok, admitted.err)
        self.assertEqual(admitted.out.count("(server dry run)"), len(good))
        self.assertNotIn("rayfix", admitted.err)

    def test_what_only_warns_is_admitted_with_the_warning(self):
        for row in WARNED:
            with self.subTest(row.rule):
                admitted = apply(row.bad, namespace=self.namespace)
                self.assertTrue(admitted.ok, admitted.err)
                self.assertIn("Warning: ", admitted.err)
                self.assertIn(row.rule.split()[0], admitted.err)

    @needs_the_bed
    def test_what_only_warns_is_denied_if_the_configuration_says_so(self):
        with_configuration(self, **STRICT)
        for row in WARNED:
            with self.subTest(row.rule):
                self.assertRefused(row)
        self.assertNothingStored()
        good = apply(*[row.good for row in WARNED], namespace=self.namespace)
        self.assertTrue(good.ok, good.err)
        count = len(DENIED + WARNED)
        record("rules", **{"with": f"{count} of {count} denied with the rule, the path, what was "
                                   "found and what is wanted; nothing stored"})


if __name__ == "__main__":
    unittest.main()
