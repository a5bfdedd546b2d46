#!/usr/bin/env python3
"""`rayfix validate`, `explain` and `rules`: what they say of the samples, that the server says the
same, and that the pages in docs/ which show it are current. --update rewrites those pages."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

RAYFIX = os.environ["RAYFIX"]
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
SAMPLES = "examples/ray"
UPDATE = False

HEADER = "apiVersion: rayfix.io/v1alpha1\nkind: Configuration\n"

# What semantics §4.4 and §4.6 say of each sample: action, rule, message.
EXPECTED = {
    ("raycluster-small.yaml", "small"): [],
    ("raycluster-gpu.yaml", "gpu"): [],
    ("raycronjob.yaml", "nightly"): [],
    ("raycluster-large.yaml", "large"): [
        ("deny", "cpu-limit",
         "worker group 'cpu': container 'ray-worker' asks for 32 CPUs, limit is 16"),
        ("deny", "gpu-limit", "worker group 'gpu' asks for 8 GPUs per worker, limit is 4"),
        ("deny", "max-gpus", "total max GPUs 160 exceeds the limit of 20 (gpu: 160)"),
        ("deny", "max-workers",
         "total max workers 60 exceeds the limit of 50 (cpu: 40, gpu: 20)"),
        ("deny", "memory-limit",
         "worker group 'cpu': container 'ray-worker' asks for 128Gi memory, limit is 64Gi")],
    ("raycluster-tpu-multi-host.yaml", "tpu"): [
        ("deny", "max-workers", "total max workers 52 exceeds the limit of 50 (tpu-v4: 52)")],
    ("raycluster-autoscaling.yaml", "autoscaling"): [
        ("deny", "max-workers", "worker group 'batch' does not set maxReplicas")],
    ("raycluster-v1alpha1.yaml", "old"): [
        ("warn", "qos-guaranteed", "worker group 'cpu': cpu requests (500m) differ from limits "
         "(1); QoS is not Guaranteed"),
        ("warn", "qos-guaranteed", "worker group 'cpu': memory requests (1Gi) differ from limits "
         "(2Gi); QoS is not Guaranteed"),
        ("warn", "required-labels", "missing required label 'app'")],
    ("rayjob.yaml", "count"): [
        ("warn", "fixed-size", "worker group 'cpu' has a fixed size of 3")],
    ("rayjob-quantity.yaml", "typo"): [
        ("deny", "min-requests", "worker group 'cpu': container 'ray-worker': CPU request 200m "
         "is below the minimum of 500m"),
        ("deny", "quantities",
         "worker group 'cpu': container 'ray-worker': limits.memory is not a quantity"),
        ("deny", "quantities",
         "worker group 'cpu': container 'ray-worker': requests.memory is not a quantity")],
    ("rayservice.yaml", "chat"): [
        ("warn", "idle-gpus", "GPU worker group 'gpu' keeps 2 replicas when idle")],
    ("pod-disruption-budget.yaml", "ray-workers"): [
        ("deny", "disruption-budget", "maxUnavailable blocks every eviction of Ray pods for ever, "
         "because RayCluster has no scale subresource; use a number in minAvailable")],
    ("pod-disruption-budget.yaml", "ray-workers-drainable"): [],
    ("pod-tolerates-everything.yaml", "static-worker"): [
        ("deny", "repair-taints", "pod: toleration {operator: Exists} tolerates node-repair taints "
         "(repair-reboot, repair-reimage, repair-manual, slow-network); name the taints it "
         "needs")],
}


def rayfix(*arguments, stdin=""):
    return subprocess.run([RAYFIX, *arguments], input=stdin, capture_output=True, text=True,
                          timeout=120, cwd=ROOT, check=False)


def validate(*arguments, stdin=""):
    return rayfix("validate", *arguments, stdin=stdin)


def report(*arguments, stdin=""):
    done = validate("-o", "json", *arguments, stdin=stdin)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def cluster(name="c", **group):
    """A RayCluster that no rule has a word about, unless `group` says otherwise."""
    resources = {"cpu": "2", "memory": "8Gi"}
    container = {"name": "ray", "image": "ray", "resources": {"limits": resources,
                                                              "requests": resources}}
    template = {"spec": {"containers": [container]}}
    return {"apiVersion": "ray.io/v1", "kind": "RayCluster",
            "metadata": {"name": name, "labels": {"app": "a"}},
            "spec": {"headGroupSpec": {"template": template}, "workerGroupSpecs": [
                {"groupName": "g", "minReplicas": 0, "maxReplicas": 4, "template": template,
                 **group}]}}


def kind_list(*items, kind="List"):
    return json.dumps({"apiVersion": "v1", "kind": kind, "items": list(items)})


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}
WARNED = cluster("warned", minReplicas=4)
DENIED = cluster("denied", maxReplicas=51)


class Samples(unittest.TestCase):
    maxDiff = None

    def test_what_is_said(self):
        found = {}
        for result in report("-f", SAMPLES)["results"]:
            key = os.path.basename(result["file"]), result["name"]
            found[key] = [(v["action"], v["rule"], v["message"]) for v in result["violations"]]
            denied = any(v["action"] == "deny" for v in result["violations"])
            self.assertEqual(result["allowed"], not denied)
        self.assertEqual(found, EXPECTED)

    def test_the_line_is_that_of_the_field(self):
        lines = []
        for result in report("-f", SAMPLES)["results"]:
            with open(os.path.join(ROOT, result["file"]), encoding="utf-8") as file:
                text = file.read().splitlines()
            for violation in result["violations"]:
                last = re.sub(r"\[.*", "", violation["path"].rsplit(".", 1)[1])
                lines.append((last, text[violation["line"] - 1]))
        self.assertEqual(len(lines), sum(map(len, EXPECTED.values())))
        for last, line in lines:
            if last in ("memory", "cpu", "minReplicas", "maxUnavailable"):
                self.assertIn(last + ":", line)

    def test_original_platform_pods_may_be_only_warned_about(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(HEADER + "podPolicy: warn\n")
            file.flush()
            result = report("-f", f"{SAMPLES}/pod-tolerates-everything.yaml", "--config",
                            file.name)["results"][0]
        self.assertTrue(result["allowed"])
        self.assertEqual([v["action"] for v in result["violations"]], ["warn"])


class Server(unittest.TestCase):
    """The same objects in a review that this test makes by itself."""

    GROUPS = {"Pod": ("", "v1", "pods"), "Node": ("", "v1", "nodes"),
              "PodDisruptionBudget": ("policy", "v1", "poddisruptionbudgets"),
              "RayCluster": ("ray.io", "v1", "rayclusters"), "RayJob": ("ray.io", "v1", "rayjobs"),
              "RayService": ("ray.io", "v1", "rayservices"),
              "RayCronJob": ("ray.io", "v1", "raycronjobs")}

    def review(self, item):
        group, version, plural = self.GROUPS[item["kind"]]
        item = {**item, "apiVersion": f"{group}/{version}" if group else version}
        request = {"uid": "1", "operation": "CREATE", "object": item, "oldObject": None,
                   "kind": {"group": group, "version": version, "kind": item["kind"]},
                   "resource": {"group": group, "version": version, "resource": plural},
                   "namespace": item["metadata"].get("namespace", "default"),
                   "name": item["metadata"].get("name", "")}
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        done = rayfix("review", "--phase", "validate", stdin=json.dumps(body))
        return json.loads(done.stdout)["response"]

    def test_says_the_same(self):
        printed = json.loads(rayfix("mutate", "-o", "json", "-f", SAMPLES).stdout)["items"]
        results = report("-f", SAMPLES)["results"]
        self.assertEqual(len(results), len(EXPECTED))
        # `mutate` fixes a Pod that it prints; what it adds, no rule here looks at.
        for item, result in zip(printed, results):
            self.assertEqual(item["metadata"]["name"], result["name"])
            response = self.review(item)
            self.assertEqual(response["allowed"], result["allowed"])
            self.assertEqual(response.get("status", {}).get("message", ""), result["message"])
            warnings = [f"rayfix: {v['rule']}: {v['message']}"[:250]
                        for v in result["violations"] if v["action"] == "warn"]
            self.assertEqual(response.get("warnings", []), warnings)
            for violation in result["violations"]:
                if violation["action"] == "deny":
                    for part in ("message", "path", "found", "wanted", "fix"):
                        self.assertIn(violation[part], result["message"])


class Input(unittest.TestCase):
    def test_exit_codes(self):
        fine, warned, denied = (json.dumps(item) for item in (cluster(), WARNED, DENIED))
        for arguments, stdin, code in (
                (["-f", "-"], fine, 0), (["-f", "-"], warned, 0), (["-f", "-"], denied, 1),
                (["-f", "-", "--warn-exit-code", "7"], warned, 7),
                (["-f", "-", "--warn-exit-code", "7"], fine, 0),
                (["-f", "-", "--warn-exit-code", "7"], denied + warned, 1),
                (["-f", "-", "--warn-exit-code", "256"], fine, 2),
                (["-f", "-", "--warn-exit-code", "-1"], fine, 2),
                (["-f", "-", "--warn-exit-code", "x"], fine, 2),
                ([], "", 2), (["-f", "-", "--nope"], "", 2), (["-f", "-", "extra"], fine, 2),
                (["-f", "-", "-o", "yaml"], fine, 2), (["-f", "-"], "{", 2),
                (["-f", "-"], "a: 1\n", 2), (["-f", "-"], "kind: RayCluster\n", 2),
                (["-f", "-"], kind_list({"kind": "RayCluster"}), 2),
                (["-f", "-"], kind_list(7), 2),
                (["-f", "no-such-file"], "", 3), (["-f", "-", "--config", "no-such"], fine, 3)):
            with self.subTest(arguments=arguments, stdin=stdin[:60]):
                done = validate(*arguments, stdin=stdin)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(bool(done.stderr), code in (2, 3))
                self.assertEqual(bool(done.stdout), code not in (2, 3))

    def test_other_kinds_are_skipped_and_counted(self):
        items = [CONFIG_MAP, cluster(), {"apiVersion": "ray.io/v2", "kind": "RayCluster"},
                 {"apiVersion": "example.com/v1", "kind": "Pod"}]
        self.assertEqual(report("-f", "-", stdin=kind_list(*items))["summary"],
                         {"objects": 1, "denied": 0, "warned": 0, "fine": 1, "skipped": 3})
        self.assertIn("1 object: 0 denied, 0 with warnings, 1 fine; 3 of other kinds skipped",
                      validate("-f", "-", stdin=kind_list(*items)).stdout)

    def test_lists_in_lists(self):
        inner = json.loads(kind_list(DENIED, cluster("x"), kind="RayClusterList"))
        found = report("-f", "-", stdin=kind_list(inner, WARNED))
        self.assertEqual([r["name"] for r in found["results"]], ["denied", "x", "warned"])
        self.assertEqual(found["summary"]["denied"], 1)

    def test_an_old_version_is_judged_as_the_new_one(self):
        old = {**DENIED, "apiVersion": "ray.io/v1alpha1"}
        result = report("-f", "-", stdin=json.dumps(old))["results"][0]
        self.assertFalse(result["allowed"])
        self.assertEqual(result["apiVersion"], "ray.io/v1alpha1")

    def test_namespaces(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(HEADER + "namespaces:\n  - match: lab-*\n    validators:\n"
                       "      max-workers: {action: warn}\n")
            file.flush()
            stdin = json.dumps(DENIED)
            for arguments, code in (([], 1), (["-n", "lab-1"], 0)):
                done = validate("-f", "-", "--config", file.name, *arguments, stdin=stdin)
                self.assertEqual(done.returncode, code)
            own = {**DENIED, "metadata": {"name": "o", "namespace": "lab-2"}}
            done = validate("-f", "-", "--config", file.name, stdin=json.dumps(own))
            self.assertEqual(done.returncode, 0)

    def test_lines(self):
        """Of documents behind others, items of lists, keys with dots, aliases; of JSON the first."""
        text = """a: &none {}
apiVersion: v1
kind: ConfigMap
---
# a comment
apiVersion: v1
kind: List
items:
  - apiVersion: ray.io/v1
    kind: RayCluster
    metadata: {name: a, labels: {app: a}}
    spec:
      headGroupSpec: {template: {spec: {containers: []}}}
      workerGroupSpecs:
        - groupName: g
          maxReplicas: 1
          template: &template
            spec:
              containers:
                - name: c
                  resources:
                    requests: &amounts
                      cpu: 1
                      memory: 1Gi
                      nvidia.com/gpu: many
                    limits: *amounts
        - groupName: h
          maxReplicas: x
          template: *template
"""
        found = {v["path"].replace("spec.workerGroupSpecs", ""): v["line"]
                 for r in report("-f", "-", stdin=text)["results"] for v in r["violations"]
                 if v["rule"] == "quantities"}
        resources = ".template.spec.containers[0].resources."
        self.assertEqual({path: line for path, line in found.items() if path.startswith("[0]")},
                         {"[0]" + resources + "limits.nvidia.com/gpu": 26,
                          "[0]" + resources + "requests.nvidia.com/gpu": 25})
        self.assertEqual(found["[1].maxReplicas"], 28)
        self.assertEqual(found["[1]" + resources + "limits.nvidia.com/gpu"], 29)
        pretty = "\n\n" + json.dumps(WARNED, indent=2)
        self.assertEqual(report("-f", "-", stdin=pretty)["results"][0]["violations"][0]["line"], 3)

    def test_a_node_has_no_namespace(self):
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
        self.assertEqual(report("-f", "-", stdin=json.dumps(node))["results"][0]["namespace"], "")

    def test_wrong_types_are_reported_and_nothing_falls(self):
        for spec in (7, [], {"workerGroupSpecs": 1}, {"workerGroupSpecs": [None, 1, "x"]},
                     {"headGroupSpec": [], "workerGroupSpecs": [{"template": 3}]}):
            item = {**cluster(), "spec": spec}
            self.assertIn(validate("-f", "-", stdin=json.dumps(item)).returncode, (0, 1), spec)
            item["metadata"] = spec
            self.assertIn(validate("-f", "-", stdin=json.dumps(item)).returncode, (0, 1), spec)


NASTY = "g\x1b[31m<&>\"']]>\x01\x7f\u009b31m\ufffe\nx"


class Formats(unittest.TestCase):
    def nasty(self):
        item = cluster("n<&>\"'\x1b\n", groupName=NASTY, minReplicas=4)
        item["spec"]["workerGroupSpecs"][0]["maxReplicas"] = 51
        return json.dumps(item)

    def test_text_cannot_steer_a_terminal(self):
        found = validate("-f", "-", stdin=self.nasty()).stdout
        self.assertIn("[31m<&>", found)
        self.assertIsNone(re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", found))
        self.assertTrue(all(line.startswith(("standard input:1: ", "    ", "1 object", "'rayfix"))
                            for line in found.splitlines()), found)

    def test_json_keeps_every_character(self):
        result = report("-f", "-", stdin=self.nasty())["results"][0]
        self.assertEqual(result["name"], "n<&>\"'\x1b\n")

    def test_junit(self):
        stdin = kind_list(cluster(), WARNED, json.loads(self.nasty()), CONFIG_MAP)
        done = validate("-f", "-", "-o", "junit", stdin=stdin)
        self.assertEqual(done.returncode, 1)
        suite = xml.etree.ElementTree.fromstring(done.stdout).find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("3", "1"))
        cases = suite.findall("testcase")
        self.assertEqual(cases[0].get("name"), "RayCluster default/c")
        self.assertEqual(list(cases[0]), [])
        self.assertIn("warn fixed-size (V11)", cases[1].find("system-out").text)
        self.assertIsNone(cases[1].find("failure"))
        self.assertIn("<&>\"']]>", cases[2].find("failure").text)
        self.assertIn("\n- max-workers (V04): ", cases[2].find("failure").get("message"))

    def test_junit_of_all_samples(self):
        suite = xml.etree.ElementTree.fromstring(
            validate("-f", SAMPLES, "-o", "junit").stdout).find("testsuite")
        self.assertEqual(len(suite.findall("testcase")), len(EXPECTED))

    def test_sarif(self):
        log = json.loads(validate("-f", SAMPLES, "-o", "sarif").stdout)
        self.assertEqual((log["version"], len(log["runs"])), ("2.1.0", 1))
        rules = log["runs"][0]["tool"]["driver"]["rules"]
        self.assertEqual(len({rule["id"] for rule in rules}), len(rules))
        for rule in rules[:-1]:
            self.assertTrue(rule["help"]["text"] and rule["fullDescription"]["text"])
        results = log["runs"][0]["results"]
        self.assertEqual(len(results), sum(map(len, EXPECTED.values())))
        levels = {"deny": "error", "warn": "warning"}
        expected = sorted((levels[a], r) for v in EXPECTED.values() for a, r, _ in v)
        self.assertEqual(sorted((r["level"], r["ruleId"]) for r in results), expected)
        for result in results:
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            place = result["locations"][0]["physicalLocation"]
            self.assertTrue(place["artifactLocation"]["uri"].startswith(SAMPLES + "/"))
            self.assertGreater(place["region"]["startLine"], 1)

    def test_sarif_uri_is_encoded(self):
        with tempfile.TemporaryDirectory(prefix="a b%ü") as folder:
            path = os.path.join(folder, "x.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(DENIED, file)
            log = json.loads(validate("-f", path, "-o", "sarif").stdout)
        place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
        self.assertRegex(place["artifactLocation"]["uri"], r"^file:///.*a%20b%25%C3%BC")

    def test_nothing_to_say(self):
        for name in ("json", "sarif", "junit", "text"):
            done = validate("-f", "-", "-o", name, stdin=json.dumps(CONFIG_MAP))
            self.assertEqual(done.returncode, 0)
            if name in ("json", "sarif"):
                json.loads(done.stdout)


class Explain(unittest.TestCase):
    rules = json.loads(rayfix("rules", "-o", "json").stdout)

    def test_every_rule(self):
        self.assertGreater(sum(rule["kind"] == "validator" for rule in self.rules), 0)
        for rule in self.rules:
            done = rayfix("explain", rule["name"])
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("How to be exempted", done.stdout)
            for option in rule["options"]:
                self.assertIn(f"    {option['key']}: ", done.stdout)
            if rule["kind"] == "mutator":
                self.assertIn(f"rayfix.io/{rule['name']}: \"false\"", done.stdout)
                continue
            self.assertRegex(done.stdout, r"\nWhy\n  \S.*\n(.*\n)*\nSource\n  \S")
            for name in rule["id"].lower().split("/"):
                self.assertEqual(rayfix("explain", name).stdout, done.stdout)

    def test_the_settings_it_shows_are_a_configuration(self):
        for rule in json.loads(rayfix("explain", "-o", "json").stdout):
            done = rayfix("config", "check", "-f", "-", stdin=HEADER + rule["configuration"])
            self.assertEqual(done.returncode, 0, rule["name"] + ": " + done.stderr)

    def test_the_exemptions_it_shows_are_a_configuration(self):
        for rule in self.rules:
            text = rayfix("explain", rule["name"]).stdout.split("How to be exempted\n")[1]
            indented = "".join(line[4:] + "\n" for line in text.splitlines()
                               if line.startswith("    ") and "rayfix.io/" not in line)
            done = rayfix("config", "check", "-f", "-", stdin=HEADER + indented)
            self.assertEqual(done.returncode, 0, rule["name"] + ": " + done.stderr)

    def test_unknown(self):
        done = rayfix("explain", "cpu-limits")
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean cpu-limit?", done.stderr)
        self.assertEqual(rayfix("explain", "").returncode, 2)
        self.assertEqual(rayfix("explain", "cpu-limit", "max-gpus").returncode, 2)

    def test_list(self):
        listed = rayfix("explain").stdout
        table = rayfix("rules").stdout
        for rule in self.rules:
            self.assertRegex(listed, rf"(?m)^{rule['name']} ")
            self.assertIn(rule["summary"], table)


def denial_page(text):
    """docs/denials.md with what the program prints now."""
    def refill(match):
        command = match.group(1).split()
        if command[0] == "rayfix":
            output = rayfix(*command[1:]).stdout
        else:  # kubectl apply -f FILE
            file = command[-1]
            message = report("-f", file)["results"][0]["message"]
            output = (f'Error from server (Forbidden): error when creating "{file}": admission '
                      f'webhook "ray-validate-create.rayfix.io" denied the request: {message}\n')
        return f"```console\n$ {match.group(1)}\n{output}```\n"
    return re.sub(r"```console\n\$ (.*)\n(?:.*\n)*?```\n", refill, text)


class Pages(unittest.TestCase):
    maxDiff = None

    def page(self, name, make):
        path = os.path.join(ROOT, "docs", name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        wanted = make(text)
        if UPDATE:
            with open(path, "w", encoding="utf-8") as file:
                file.write(wanted)
            return wanted
        self.assertEqual(text, wanted, f"docs/{name} is old: tests/cli/validate_test.py --update")
        return text

    def test_rules(self):
        self.page("rules.md", lambda text: rayfix("rules", "-o", "markdown").stdout)

    def test_denials(self):
        text = self.page("denials.md", denial_page)
        rules = set(re.findall(r": deny ([a-z-]+) \(", text))
        self.assertGreaterEqual(len(rules), 5)


if __name__ == "__main__":
    UPDATE = "--update" in sys.argv
    unittest.main(argv=[argument for argument in sys.argv if argument != "--update"])
