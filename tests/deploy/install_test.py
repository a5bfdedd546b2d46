#!/usr/bin/env python3
"""What deploy/ must say, judged without a cluster: the file people apply is current, the webhooks
are those of the design, permissions are exact, the configurations are ones that rayfix accepts.

`tests/deploy/install_test.py --update` writes tests/cluster/webhooks.json anew."""

import json
import re
import subprocess
import sys
import unittest

from manifests import (BASE, CHART, COMPONENTS, DEPLOY, ROOT, by_key, configuration, mapping,
                       objects_of, rayfix)

WEBHOOKS = ROOT / "tests" / "cluster" / "webhooks.json"
OWN = "rayfix-system"
RAY = ["rayclusters", "rayjobs", "rayservices", "raycronjobs"]
RAY_PODS = {"matchExpressions": [
    {"key": "ray.io/node-type", "operator": "In", "values": ["head", "worker"]}]}
NOT_TERMINATING = [{"name": "not-terminating",
                    "expression": "!has(object.metadata.deletionTimestamp)"}]
# name: path, operations, group, resources, failurePolicy, timeoutSeconds, objectSelector,
# matchConditions
TABLE = {
    "pods-mutate": ("/mutate", ["CREATE"], "", ["pods"], "Ignore", 5, RAY_PODS, None),
    "pods-validate": ("/validate", ["CREATE"], "", ["pods"], "Ignore", 5, RAY_PODS, None),
    "ray-validate-create": ("/validate", ["CREATE"], "ray.io", RAY, "Fail", 10, None, None),
    "ray-validate-update": ("/validate", ["UPDATE"], "ray.io", RAY, "Ignore", 5, None,
                            NOT_TERMINATING),
    "pdb-validate": ("/validate", ["CREATE", "UPDATE"], "policy", ["poddisruptionbudgets"],
                     "Ignore", 5, None, None),
}


def installed():
    return objects_of((DEPLOY / "install.yaml").read_text())


def webhook(name):
    path, operations, group, resources, policy, seconds, objects, conditions = TABLE[name]
    wanted = {
        "name": f"{name}.rayfix.io",
        "clientConfig": {"service": {"namespace": OWN, "name": "rayfix", "path": path,
                                     "port": 443}},
        "rules": [{"operations": operations, "apiGroups": [group], "apiVersions": ["v1"],
                   "resources": resources, "scope": "Namespaced"}],
        "namespaceSelector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn",
             "values": ["kube-system", "kube-public", "kube-node-lease", OWN]}]},
        "failurePolicy": policy, "timeoutSeconds": seconds, "sideEffects": "None",
        "matchPolicy": "Equivalent", "admissionReviewVersions": ["v1"],
    }
    if objects:
        wanted["objectSelector"] = objects
    if conditions:
        wanted["matchConditions"] = conditions
    if name == "pods-mutate":
        wanted["reinvocationPolicy"] = "IfNeeded"
    return wanted


def webhooks_of_the_bed():
    """webhooks.json: the two configurations, with a place for the bundle that the bed's rayfix, a
    process without access to the API, cannot write."""
    items = []
    for thing in sorted(installed(), key=lambda thing: thing["kind"]):
        if "webhooks" in thing:
            for hook in thing["webhooks"]:
                hook["clientConfig"]["caBundle"] = "@CA_BUNDLE@"
            items.append(thing)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n"


class Install(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.objects = installed()
        cls.by_key = by_key(cls.objects)

    def test_it_is_current(self):
        done = subprocess.run([DEPLOY / "generate", "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_every_file_of_the_base_is_in_it(self):
        text = (BASE / "kustomization.yaml").read_text()
        for path in BASE.glob("*.yaml"):
            if path.name != "kustomization.yaml":
                self.assertIn(f"  - {path.name}\n", text)

    def test_the_webhooks_go_first(self):
        kinds = [thing["kind"] for thing in self.objects]
        self.assertEqual(kinds[:3], ["ValidatingWebhookConfiguration",
                                     "MutatingWebhookConfiguration", "Namespace"])
        self.assertEqual(kinds[-1], "Deployment")

    def test_the_webhooks_are_those_of_the_design(self):
        hooks = self.by_key["MutatingWebhookConfiguration rayfix"]["webhooks"]
        hooks += self.by_key["ValidatingWebhookConfiguration rayfix"]["webhooks"]
        self.assertEqual(hooks, [webhook(name) for name in TABLE])

    def test_nothing_is_rendered_that_the_server_writes(self):
        self.assertNotIn("Secret", [thing["kind"] for thing in self.objects])
        for path in [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.tpl")]:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.match(r"\s*caBundle:|kind: Secret", line):
                    self.fail(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")

    def test_all_carry_the_labels(self):
        for name, thing in self.by_key.items():
            labels = thing["metadata"]["labels"]
            self.assertEqual(labels.get("app.kubernetes.io/name"), "rayfix", name)
            self.assertEqual(labels.get("app.kubernetes.io/part-of"), "rayfix", name)
            # What the running server makes says managed-by; what is applied must not.
            self.assertNotIn("app.kubernetes.io/managed-by", labels, name)

    def test_the_bed_registers_the_same(self):
        self.assertEqual(WEBHOOKS.read_text(), webhooks_of_the_bed(),
                         "run: tests/deploy/install_test.py --update")


class Permissions(unittest.TestCase):

    def setUp(self):
        self.by_key = by_key(installed())

    def rules(self, name):
        found = set()
        for rule in self.by_key[name]["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    found.add((group, resource, ",".join(rule.get("resourceNames", [])),
                               ",".join(rule["verbs"])))
        return found

    def test_in_its_namespace(self):
        self.assertEqual(self.rules(f"Role {OWN}/rayfix"), {
            ("", "secrets", "rayfix-certificates", "get,list,watch,update"),
            ("", "secrets", "", "create"),
            ("", "events", "", "create")})

    def test_in_the_cluster(self):
        group = "admissionregistration.k8s.io"
        self.assertEqual(self.rules("ClusterRole rayfix"), {
            (group, "mutatingwebhookconfigurations", "rayfix", "get,list,watch,patch"),
            (group, "validatingwebhookconfigurations", "rayfix", "get,list,watch,patch"),
            ("", "namespaces", "kube-system", "get")})

    def test_the_viewer_reads_no_secrets_and_is_bound_to_nobody(self):
        viewer = self.rules("ClusterRole rayfix-viewer")
        configuration = ("", "configmaps", "rayfix", "get")
        self.assertIn(configuration, viewer)
        for _, resource, _, verbs in viewer - {configuration}:
            self.assertNotIn(resource, ("secrets", "configmaps"))
            question = resource == "subjectaccessreviews"
            self.assertEqual(verbs, "create" if question else "get,list", resource)
        bound = [thing["roleRef"]["name"] for thing in self.by_key.values() if "roleRef" in thing]
        self.assertEqual(bound, ["rayfix", "rayfix"])

    def test_the_page_names_each_resource(self):
        page = (ROOT / "docs" / "permissions.md").read_text()
        for role in (f"Role {OWN}/rayfix", "ClusterRole rayfix", "ClusterRole rayfix-viewer"):
            for _, resource, _, _ in self.rules(role):
                self.assertIn(f"`{resource}`", page, role)


class Pods(unittest.TestCase):

    def setUp(self):
        self.by_key = by_key(installed())
        self.deployment = self.by_key[f"Deployment {OWN}/rayfix"]["spec"]
        self.spec = self.deployment["template"]["spec"]
        [self.container] = self.spec["containers"]

    def test_the_image_has_the_version_of_the_project(self):
        project = (ROOT / "CMakeLists.txt").read_text()
        version = re.search(r"^project\(rayfix VERSION (\S+)", project, re.MULTILINE).group(1)
        self.assertEqual(self.container["image"], f"ghcr.io/rayfix/rayfix:{version}")
        chart = mapping("\n".join(line for line in (CHART / "Chart.yaml").read_text().splitlines()
                                  if not line.startswith("apiVersion")) + "\n")
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))

    def test_it_is_restricted(self):
        pod, container = self.spec["securityContext"], self.container["securityContext"]
        self.assertTrue(pod["runAsNonRoot"])
        self.assertEqual((pod["runAsUser"], pod["runAsGroup"]), (65532, 65532))
        self.assertEqual(pod["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertEqual(container, {"allowPrivilegeEscalation": False,
                                     "readOnlyRootFilesystem": True,
                                     "capabilities": {"drop": ["ALL"]}})
        labels = self.by_key[f"Namespace {OWN}"]["metadata"]["labels"]
        self.assertEqual(labels["pod-security.kubernetes.io/enforce"], "restricted")

    def test_a_replica_has_the_time_to_leave(self):
        """Protocol: terminationGracePeriodSeconds >= delay + timeout + 5."""
        printed = rayfix("config", "defaults").stdout
        seconds = {name: int(re.search(rf"^shutdown:.*?^  {name}: (\d+)s$", printed,
                                       re.MULTILINE | re.DOTALL).group(1))
                   for name in ("delay", "timeout")}
        self.assertGreaterEqual(self.spec["terminationGracePeriodSeconds"],
                                seconds["delay"] + seconds["timeout"] + 5)

    def test_there_is_always_a_replica(self):
        self.assertGreaterEqual(self.deployment["replicas"], 2)
        self.assertEqual(self.deployment["strategy"]["rollingUpdate"],
                         {"maxSurge": 1, "maxUnavailable": 0})
        self.assertEqual(self.by_key[f"PodDisruptionBudget {OWN}/rayfix"]["spec"]["maxUnavailable"],
                         1)

    def test_a_replica_that_is_not_ready_is_not_restarted(self):
        for probe in ("startupProbe", "livenessProbe"):
            self.assertEqual(self.container[probe]["httpGet"],
                             {"path": "/livez", "port": "health", "scheme": "HTTP"})

    def test_ready_is_what_the_api_server_calls(self):
        probe = self.container["readinessProbe"]["httpGet"]
        self.assertEqual(probe, {"path": "/readyz", "port": "https", "scheme": "HTTPS"})
        called = {port["port"]: port["targetPort"]
                  for port in self.by_key[f"Service {OWN}/rayfix"]["spec"]["ports"]}
        self.assertEqual(called[443], probe["port"])
        waits = [hook["timeoutSeconds"] for name, thing in self.by_key.items()
                 if "WebhookConfiguration" in name for hook in thing["webhooks"]]
        self.assertEqual(self.container["readinessProbe"]["timeoutSeconds"], min(waits))

    def test_selectors_meet_the_pods(self):
        labels = self.deployment["template"]["metadata"]["labels"].items()
        for name, path in (("Service", ("selector",)), ("NetworkPolicy", ("podSelector",)),
                           ("PodDisruptionBudget", ("selector",)), ("Deployment", ("selector",))):
            selector = self.by_key[f"{name} {OWN}/rayfix"]["spec"]
            for step in path:
                selector = selector[step]
            self.assertLessEqual(selector.get("matchLabels", selector).items(), labels, name)

    def test_every_named_port_is_there(self):
        ports = {port["name"] for port in self.container["ports"]}
        for port in self.by_key[f"Service {OWN}/rayfix"]["spec"]["ports"]:
            self.assertIn(port["targetPort"], ports)
        for rule in self.by_key[f"NetworkPolicy {OWN}/rayfix"]["spec"]["ingress"]:
            self.assertIn(rule["ports"][0]["port"], ports)

    def test_the_network_policy_lets_probes_in(self):
        rules = self.by_key[f"NetworkPolicy {OWN}/rayfix"]["spec"]["ingress"]
        open_to_all = [port["port"] for rule in rules if "from" not in rule
                       for port in rule["ports"]]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertIn(self.container[probe]["httpGet"]["port"], open_to_all, probe)


class Configurations(unittest.TestCase):

    def test_rayfix_accepts_it(self):
        done = rayfix("config", "check", "-f", "-", stdin=configuration(installed()))
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)

    def test_audit_only_names_every_rule(self):
        [line] = objects_of((COMPONENTS / "audit-only" / "line.yaml").read_text())
        [override] = mapping(line["data"]["line"] + "\n")["namespaces"]
        self.assertEqual(override["match"], "*")
        for rule in json.loads(rayfix("rules", "-o", "json").stdout):
            if rule["kind"] == "mutator":
                self.assertEqual(override["mutators"].get(rule["name"]), {"mode": "audit"},
                                 rule["name"])
                continue
            wanted = {"action": "audit"}
            if rule.get("defaultPodAction", "off") != "off":
                wanted["podAction"] = "audit"
            self.assertEqual(override["validators"].get(rule["name"]), wanted, rule["name"])

    def test_examples_are_admitted(self):
        done = rayfix("validate", "-f", DEPLOY / "examples")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Alerts(unittest.TestCase):

    def test_the_metrics_exist(self):
        source = "".join(path.read_text() for folder in ("server", "certs", "cluster")
                         for path in (ROOT / folder).glob("*.[ch]"))
        # server/metrics.c makes the names of two families from the file's kind.
        for kind in ("config", "certificate"):
            source += f"rayfix_{kind}_last_reload_successful"
        text = (COMPONENTS / "monitoring" / "prometheus-rule.yaml").read_text()
        expressions = re.findall(r"\brayfix_[a-z_]+", text)
        self.assertGreater(len(expressions), 3)
        for name in expressions:
            self.assertIn(name, source)


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        WEBHOOKS.write_text(webhooks_of_the_bed())
    else:
        unittest.main()
