#!/usr/bin/env python3
"""The three profiles in deploy/config: each loads, and each refuses what it says it does."""

import copy
import json
import os
import subprocess
import unittest
from pathlib import Path

RAYFIX = os.environ["RAYFIX"]
FOLDER = Path("deploy/config")
PROFILES = ["default", "original-platform", "advisory"]
GROUPS = {"Pod": "", "PodDisruptionBudget": "policy"}
OWNER = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "name": "c", "uid": "u",
         "controller": True}
BLANKET = [{"operator": "Exists"}]
RESOURCES = {"cpu": "1", "memory": "2Gi"}

CLUSTER = {
    "apiVersion": "ray.io/v1", "kind": "RayCluster",
    "metadata": {"name": "c", "namespace": "n", "labels": {"app": "x"}},
    "spec": {
        "enableInTreeAutoscaling": True,
        "headGroupSpec": {"template": {"spec": {"containers": [
            {"name": "ray-head", "resources": {"limits": RESOURCES, "requests": RESOURCES}}]}}},
        "workerGroupSpecs": [
            {"groupName": "g", "replicas": 0, "minReplicas": 0, "maxReplicas": 5, "numOfHosts": 1,
             "template": {"spec": {"containers": [
                 {"name": "ray-worker",
                  "resources": {"limits": RESOURCES, "requests": RESOURCES}}]}}}]}}
POD = {
    "apiVersion": "v1", "kind": "Pod",
    "metadata": {"name": "w", "namespace": "n", "labels": {"ray.io/node-type": "worker"}},
    "spec": {"containers": [
        {"name": "ray-worker", "resources": {"limits": RESOURCES, "requests": RESOURCES}}]}}


def cluster(limits=None, requests=None, group=None, labels=True, tolerations=None):
    made = copy.deepcopy(CLUSTER)
    worker = made["spec"]["workerGroupSpecs"][0]
    resources = worker["template"]["spec"]["containers"][0]["resources"]
    resources["limits"].update(limits or {})
    resources["requests"].update(requests or limits or {})
    worker.update(group or {})
    if tolerations:
        worker["template"]["spec"]["tolerations"] = tolerations
    if not labels:
        del made["metadata"]["labels"]
    return made


def pod(limits=None, owned=False, tolerations=None):
    made = copy.deepcopy(POD)
    resources = made["spec"]["containers"][0]["resources"]
    resources["limits"].update(limits or {})
    resources["requests"].update(limits or {})
    if owned:
        made["metadata"]["ownerReferences"] = [OWNER]
    if tolerations:
        made["spec"]["tolerations"] = tolerations
    return made


def budget(**spec):
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "b", "namespace": "n"},
            "spec": {"selector": {"matchLabels": {"ray.io/node-type": "worker"}},
                     "unhealthyPodEvictionPolicy": "AlwaysAllow", **spec}}


def review(thing, config):
    kind = {"group": GROUPS.get(thing["kind"], "ray.io"), "version": "v1", "kind": thing["kind"]}
    request = {"uid": "u-1", "kind": kind, "operation": "CREATE", "namespace": "n",
               "userInfo": {}, "object": thing}
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    command = [RAYFIX, "review", "--phase", "validate"] + (["--config", config] if config else [])
    done = subprocess.run(command, input=json.dumps(body).encode(), capture_output=True,
                          timeout=120, check=False)
    if not done.stdout:
        raise AssertionError(done.stderr.decode())
    return json.loads(done.stdout)["response"]


# name: the object, the rule it breaks (None: none), and which profiles refuse it
CASES = {
    "clean cluster": (cluster(), None, []),
    "20 CPUs": (cluster({"cpu": "20"}), "cpu-limit", ["default", "original-platform"]),
    "96Gi": (cluster({"memory": "96Gi"}), "memory-limit", ["default", "original-platform"]),
    "8 GPUs": (cluster({"nvidia.com/gpu": "8"}, group={"maxReplicas": 1},
                       tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}]),
               "gpu-limit", ["default", "original-platform"]),
    "60 workers": (cluster(group={"maxReplicas": 60}), "max-workers",
                   ["default", "original-platform"]),
    "24 GPUs": (cluster({"nvidia.com/gpu": "4"}, group={"maxReplicas": 6},
                        tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}]),
                "max-gpus", ["default", "original-platform"]),
    "100m": (cluster({"cpu": "100m"}), "min-requests", ["default", "original-platform"]),
    "no label": (cluster(labels=False), "required-labels", ["original-platform"]),
    "no toleration": (cluster({"nvidia.com/gpu": "1"}), "gpu-toleration", []),
    "blanket toleration": (cluster(tolerations=BLANKET), "repair-taints", PROFILES),
    "unreadable quantity": (cluster({"cpu": "many"}), "quantities", PROFILES),
    "maxUnavailable": (budget(maxUnavailable=1), "disruption-budget", PROFILES),
    "minAvailable": (budget(minAvailable=1), None, []),
    "clean pod": (pod(), None, []),
    "bare pod, 20 CPUs": (pod({"cpu": "20"}), "cpu-limit", ["default", "original-platform"]),
    "owned pod, 20 CPUs": (pod({"cpu": "20"}, owned=True), "cpu-limit", ["original-platform"]),
    "bare pod, blanket toleration": (pod(tolerations=BLANKET), "repair-taints", PROFILES),
    "owned pod, blanket toleration": (pod(tolerations=BLANKET, owned=True), "repair-taints",
                                      ["original-platform"]),
}


class Profiles(unittest.TestCase):
    def test_these_are_all(self):
        self.assertEqual(sorted(path.stem for path in FOLDER.iterdir()), sorted(PROFILES))

    def test_each_loads(self):
        for profile in PROFILES:
            done = subprocess.run([RAYFIX, "config", "check", "-f", FOLDER / f"{profile}.yaml"],
                                  capture_output=True, timeout=120, check=False)
            self.assertEqual((done.returncode, done.stderr.decode()), (0, ""), profile)

    def test_each_refuses_what_it_says(self):
        for profile in PROFILES:
            for name, (thing, rule, refused_by) in CASES.items():
                with self.subTest(profile=profile, case=name):
                    self.check(review(thing, FOLDER / f"{profile}.yaml"), rule,
                               profile in refused_by)

    def check(self, response, rule, refused):
        self.assertEqual(response["allowed"], not refused, response)
        if refused:
            self.assertIn(f"- {rule} (", response["status"]["message"])
        elif rule is None:
            self.assertNotIn("warnings", response)
        else:
            warnings = [text for text in response["warnings"] if f"rayfix: {rule}: " in text]
            self.assertTrue(warnings, response)

    def test_default_is_what_no_file_means(self):
        for name, (thing, _, _) in CASES.items():
            with self.subTest(case=name):
                self.assertEqual(review(thing, FOLDER / "default.yaml"), review(thing, None))

    def test_a_limit_can_be_raised_by_the_option_that_the_message_names(self):
        for name in ("20 CPUs", "96Gi", "60 workers"):
            thing, rule, _ = CASES[name]
            message = review(thing, None)["status"]["message"]
            self.assertIn(f"validators.{rule}.max", message)


if __name__ == "__main__":
    unittest.main()
