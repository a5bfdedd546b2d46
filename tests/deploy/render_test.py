#!/usr/bin/env python3
"""install.yaml, kustomize and the Helm chart say the same, in every combination, and all of it
passes kubeconform -strict and promtool. The programs are built by programs.py."""

import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import programs
import schemas
from manifests import (BASE, CHART, COMPONENTS, DEPLOY, ROOT, by_key, comparable, configuration,
                       differences, key, mapping, objects_of, rayfix)

# component: the same as values of the chart
VALUES = {
    "audit-only": ["auditOnly.enabled=true"],
    "cert-manager": ["certManager.enabled=true"],
    "monitoring": ["monitoring.enabled=true"],
    "node-repair": ["nodeRepair.enabled=true"],
    "spot": ["spot.enabled=true"],
    "validation-only": ["mutation.enabled=false"],
}
COMBINATIONS = [(), *((name,) for name in VALUES), *itertools.combinations(VALUES, 2),
                tuple(VALUES), tuple(reversed(VALUES))]
KUBERNETES = "1.36.3"


def run(program, *arguments, stdin=None):
    return subprocess.run([programs.path(program), *map(str, arguments)], input=stdin, text=True,
                          capture_output=True, timeout=120)


def output(program, *arguments, stdin=None):
    done = run(program, *arguments, stdin=stdin)
    if done.returncode != 0:
        raise AssertionError(f"{program} {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


@functools.cache
def kustomize(components):
    """The base with components, as a user's own kustomization has them."""
    with tempfile.TemporaryDirectory() as folder:
        def path(to):
            return os.path.relpath(to, os.path.realpath(folder))
        (Path(folder) / "kustomization.yaml").write_text(json.dumps({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": [path(BASE)],
            "components": [path(COMPONENTS / name) for name in components]}))
        return output("kubectl", "kustomize", folder)


@functools.cache
def helm(components=(), *more, namespace="rayfix-system"):
    values = [value for name in components for value in VALUES[name]]
    flags = [flag for value in ["namespace.create=true", *values] for flag in ("--set", value)]
    return output("helm", "template", "rayfix", CHART, "--namespace", namespace,
                  "--kube-version", KUBERNETES, *flags, *more)


class Same(unittest.TestCase):

    def test_kustomize_renders_install_yaml(self):
        installed = objects_of((DEPLOY / "install.yaml").read_text())
        rendered = objects_of(output("kubectl", "kustomize", BASE))
        self.assertEqual([key(thing) for thing in rendered], [key(thing) for thing in installed])
        self.assertEqual(differences(by_key(installed), by_key(rendered)), [])

    def test_every_component_is_compared(self):
        self.assertEqual(sorted(VALUES), sorted(path.name for path in COMPONENTS.iterdir()))

    def test_the_chart_renders_what_kustomize_does(self):
        for components in COMBINATIONS:
            with self.subTest(components=components):
                wanted = comparable(objects_of(kustomize(components)))
                found = comparable(objects_of(helm(components)))
                self.assertEqual(differences(wanted, found), [])

    def test_only_the_namespace_needs_a_value(self):
        installed = comparable(objects_of((DEPLOY / "install.yaml").read_text()))
        del installed["Namespace rayfix-system"]
        rendered = output("helm", "template", "rayfix", CHART, "--namespace", "rayfix-system",
                          "--kube-version", KUBERNETES)
        self.assertEqual(differences(installed, comparable(objects_of(rendered))), [])

    def test_rayfix_accepts_every_configuration(self):
        for components in COMBINATIONS:
            for text in (kustomize(components), helm(components)):
                done = rayfix("config", "check", "-f", "-", stdin=configuration(objects_of(text)))
                self.assertEqual(done.returncode, 0, f"{components}: {done.stdout}{done.stderr}")


class Components(unittest.TestCase):

    def test_without_cert_manager_there_is_no_annotation_and_with_it_no_access(self):
        objects = comparable(objects_of(kustomize(("cert-manager",))))
        kinds = {thing["kind"] for thing in objects.values()}
        self.assertFalse(kinds & {"Role", "RoleBinding", "ClusterRoleBinding"})
        for kind in ("Mutating", "Validating"):
            annotations = objects[f"{kind}WebhookConfiguration rayfix"]["metadata"]["annotations"]
            self.assertEqual(annotations,
                             {"cert-manager.io/inject-ca-from": "rayfix-system/rayfix"})
        pod = objects["Deployment rayfix-system/rayfix"]["spec"]["template"]["spec"]
        self.assertIs(pod["automountServiceAccountToken"], False)
        certificate = objects["Certificate rayfix-system/rayfix"]["spec"]
        self.assertIn("rayfix.rayfix-system.svc", certificate["dnsNames"])
        secrets = [volume["secret"]["secretName"] for volume in pod["volumes"].values()
                   if "secret" in volume]
        self.assertEqual(secrets, [certificate["secretName"]])

    def test_audit_only_refuses_nothing(self):
        text = kustomize(("audit-only",))
        hooks = comparable(objects_of(text))["ValidatingWebhookConfiguration rayfix"]["webhooks"]
        self.assertEqual({hook["failurePolicy"] for hook in hooks.values()}, {"Ignore"})
        cluster = ROOT / "tests" / "cluster" / "examples" / "two-groups-of-thirty.yaml"
        for components, code in (((), 1), (("audit-only",), 0)):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(configuration(objects_of(kustomize(components))))
                file.flush()
                done = rayfix("validate", "--config", file.name, "-f", cluster)
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)

    def test_validation_only_changes_nothing(self):
        objects = comparable(objects_of(kustomize(("validation-only",))))
        self.assertNotIn("MutatingWebhookConfiguration rayfix", objects)


class Chart(unittest.TestCase):

    def test_lint(self):
        output("helm", "lint", "--strict", CHART)

    def test_another_namespace(self):
        text = helm(("cert-manager",), namespace="ray-admission")
        self.assertNotIn("rayfix-system", text)
        for hook in objects_of(text):
            for entry in hook.get("webhooks", []):
                self.assertEqual(entry["clientConfig"]["service"]["namespace"], "ray-admission")
                excluded = entry["namespaceSelector"]["matchExpressions"][0]["values"]
                self.assertIn("ray-admission", excluded)
        self.assertIn("rayfix.ray-admission.svc", text)

    def test_the_users_configuration_wins(self):
        text = helm(("spot",), "--set", "config.mutators.spot-placement.provider=gke", "--set",
                    "config.validators.max-workers.max=1000000")
        read = comparable(objects_of(text))["ConfigMap rayfix-system/rayfix"]["data"]["config.yaml"]
        self.assertEqual(read["mutators"]["spot-placement"],
                         {"placement": "prefer", "provider": "gke"})
        self.assertEqual(read["validators"]["max-workers"], {"max": 1000000})

    def test_the_users_wishes_for_the_pods(self):
        text = helm((), "--set", "image.tag=v7", "--set", "nodeSelector.pool=system", "--set",
                    "tolerations[0].key=system,tolerations[0].operator=Exists", "--set",
                    "imagePullSecrets[0].name=pull", "--set", "replicas=3")
        deployment = comparable(objects_of(text))["Deployment rayfix-system/rayfix"]["spec"]
        pod = deployment["template"]["spec"]
        self.assertEqual(deployment["replicas"], 3)
        self.assertEqual(pod["nodeSelector"], {"pool": "system"})
        self.assertEqual(pod["tolerations"], [{"key": "system", "operator": "Exists"}])
        self.assertEqual(pod["imagePullSecrets"], {"pull": {"name": "pull"}})
        self.assertEqual(pod["containers"]["rayfix"]["image"], "ghcr.io/rayfix/rayfix:v7")

    def test_the_schema_refuses(self):
        for value in ("replica=3", "replicas=0", "replicas=two", "image.pullPolicy=Sometimes",
                      "image.taag=1", "spot.provider=other", "auditOnly=true", "mutation.enable=no",
                      "config.kind=Other", "config=none", "tolerations[0].efect=NoSchedule"):
            with self.subTest(value=value):
                done = run("helm", "template", "rayfix", CHART, "--kube-version", KUBERNETES,
                           "--set", value)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("schema", done.stderr)

    def test_the_schema_knows_every_value(self):
        schema = json.loads((CHART / "values.schema.json").read_text())
        self.assertEqual(set(mapping((CHART / "values.yaml").read_text())) | {"global"},
                         set(schema["properties"]))


class Schemas(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.everything = (DEPLOY / "install.yaml").read_text()
        texts = [path.read_text() for path in (DEPLOY / "examples").glob("*.yaml")]
        texts += [kustomize((name,)) for name in VALUES] + [helm(tuple(VALUES))]
        kinds = set()
        for text in [cls.everything, *texts]:
            kinds |= {thing["kind"] for thing in objects_of(text)}
        schemas.write_all(cls.folder, kinds)
        cls.texts = texts

    def conform(self, text):
        return run("kubeconform", "-strict", "-summary", "-schema-location",
                   f"{self.folder}/{schemas.LOCATION}", "-", stdin=text)

    def test_all_conform(self):
        for text in [self.everything, *self.texts]:
            done = self.conform(text)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("Skipped: 0", done.stdout)

    def test_the_check_can_fail(self):
        for good, bad in (("failurePolicy: Fail", "failurePolice: Fail"),
                          ("replicas: 2", 'replicas: "2"'),
                          ("maxUnavailable: 1", "maxUnavailable: [1]"),
                          ("  type: ClusterIP", "  type: ClusterIP\n  cluserIP: None")):
            self.assertIn(good, self.everything)
            self.assertEqual(self.conform(self.everything.replace(good, bad)).returncode, 1, bad)
        text = kustomize(("monitoring",))
        self.assertEqual(self.conform(text.replace("port: health", "prot: health")).returncode, 1)


class Alerts(unittest.TestCase):

    def setUp(self):
        self.promtool = shutil.which("promtool")
        if not self.promtool:
            if os.environ.get("CI"):
                self.fail("promtool is missing: install prometheus")
            self.skipTest("promtool is missing: install prometheus")
        [rule] = objects_of((COMPONENTS / "monitoring" / "prometheus-rule.yaml").read_text())
        self.groups = rule["spec"]

    def promtool_says(self, command, content):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "rules.json").write_text(json.dumps(self.groups))
            (Path(folder) / "test.json").write_text(json.dumps(content))
            name = "rules.json" if command == "check" else "test.json"
            return subprocess.run([self.promtool, command, "rules", name], cwd=folder, text=True,
                                  capture_output=True)

    def test_they_are_well_formed(self):
        done = self.promtool_says("check", {})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_they_fire(self):
        hook = 'name="pods-mutate.rayfix.io"'
        series = {
            "RayfixDown": ('up{job="other"}', "1x40"),
            "RayfixFailsOpen": (
                "apiserver_admission_webhook_fail_open_count{%s}" % hook, "0+1x40"),
            "RayfixCallsFail": (
                'apiserver_admission_webhook_rejection_count{%s,error_type="calling_webhook_error"}'
                % hook, "0+1x40"),
            "RayfixSlow": (
                'apiserver_admission_webhook_admission_duration_seconds_bucket{%s,le="2.5"}' % hook,
                "0+1x40"),
            "RayfixMatchConditionsFail": (
                "apiserver_admission_match_condition_evaluation_errors_total{%s}" % hook, "0+1x40"),
            "RayfixCertificateExpires": (
                'rayfix_certificate_expiry_timestamp_seconds{pod="a"}', "1000000x40"),
            "RayfixCAExpires": ('rayfix_ca_expiry_timestamp_seconds{pod="a"}', "7000000x40"),
            "RayfixBundleDiffers": ('rayfix_ca_bundle_in_sync{pod="a"}', "0x40"),
            "RayfixApiCallsFail": (
                'rayfix_api_errors_total{pod="a",reason="forbidden"}', "0+1x90"),
            "RayfixConfigurationRefused": (
                'rayfix_config_last_reload_successful{pod="a"}', "0x40"),
            "RayfixCertificateRefused": (
                'rayfix_certificate_last_reload_successful{pod="a"}', "0x40"),
            "RayfixSheds": (
                'rayfix_requests_shed_total{pod="a",reason="out_of_memory"}', "0+1x40"),
        }
        alerts = [rule["alert"] for rule in self.groups["groups"][0]["rules"]]
        self.assertEqual(sorted(series), sorted(alerts), "each alert has its series here")
        bucket = "apiserver_admission_webhook_admission_duration_seconds_bucket"
        also = {
            "RayfixBundleDiffers": [('rayfix_ca_expiry_timestamp_seconds{pod="a"}', "1x40")],
            "RayfixSlow": [
                (f"{bucket}{{{labels}}}", shape)
                for labels, shape in ((hook + ',le="1"', "0x40"), (hook + ',le="+Inf"', "0+1x40"))],
        }
        # What is well: a replica that is up, with a certificate of cert-manager.
        well = [('up{job="rayfix"}', "1x90"),
                ('rayfix_certificate_expiry_timestamp_seconds{pod="a"}', "9000000x90"),
                ('rayfix_ca_expiry_timestamp_seconds{pod="a"}', "0x90"),
                ('rayfix_ca_bundle_in_sync{pod="a"}', "0x90")]
        for alert, bad in series.items():
            self.fires(alert, [bad, *also.get(alert, [])], True)
            self.fires(alert, well, False)

    def fires(self, alert, series, wanted):
        content = {"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": [{
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series],
            "promql_expr_test": [{
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > 0',
                "eval_time": "70m" if alert == "RayfixApiCallsFail" else "30m",
                "exp_samples": [{"labels": "{}", "value": 1}] if wanted else []}]}]}
        done = self.promtool_says("test", content)
        self.assertEqual(done.returncode, 0, f"{alert}: {done.stdout}{done.stderr}")


def main():
    if programs.missing():
        print(f"missing: {' '.join(programs.missing())}; run: tests/deploy/programs.py")
        sys.exit(1 if os.environ.get("CI") else 77)
    unittest.main()


if __name__ == "__main__":
    main()
