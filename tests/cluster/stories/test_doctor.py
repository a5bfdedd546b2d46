"""rayfix doctor and rayfix audit on an installation that has issued its own certificates: sound,
and with faults that people make. Faults are mended by the commands that doctor names."""

import base64
import json
import os
import unittest

from installed import (INSTALL, NAMESPACE, bring_back, bring_image, bundles, image_name, is_mutated,
                       send_away, uninstall, wait_replicas)
from kube import (FAKE_TAINT, ROOT, add_node, create, get, group, kubectl, on_fake_nodes, patch,
                  ray_cluster, wait_until)
from looking import (EXPIRED, Report, base64_of, foreign_webhook, mend, person, rayfix,
                     wait_healthy, wait_report)
from proof import record
from server import needs_the_bed, server

DEFAULTS = "    validators: {}\n"
# Below the default of 50, and an answer to a budget that lets it exist.
LIMITS = """\
    validators:
      max-workers: {max: 40}
      disruption-budget: {maxUnavailable: warn}
"""
WORKERS = {"matchLabels": {"ray.io/node-type": "worker"}}
VIEWER = "rayfix-viewer"


def all_pods():
    """Also those on their way out."""
    return kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").out.split()


def too_large(name, namespace):
    """At most 47 workers: the defaults take that, LIMITS do not."""
    return ray_cluster(name, namespace, group("cpu", 2, 45, minimum=1),
                       group("gpu", 1, 2, gpus=4, minimum=1), enableInTreeAutoscaling=True)


@needs_the_bed
class Looking(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        bring_image()
        send_away()
        cls.addClassCleanup(bring_back)
        cls.namespace = f"looking-{os.getpid()}"
        kubectl("create", "namespace", cls.namespace)
        cls.addClassCleanup(kubectl, "delete", "namespace", cls.namespace, "--wait=false")
        create(too_large("greedy", cls.namespace))  # nobody is there to refuse it
        cls.addClassCleanup(cls.remove_clusters)
        cls.install()
        cls.viewer = cls.person("viewer")
        kubectl("create", "clusterrolebinding", "looking", f"--clusterrole={VIEWER}",
                f"--serviceaccount={cls.namespace}:viewer")
        cls.addClassCleanup(kubectl, "delete", "clusterrolebinding", "looking")
        wait_healthy()

    @classmethod
    def install(cls):
        """install.yaml of a platform with limits of its own."""
        text = INSTALL.read_text()
        assert text.count(DEFAULTS) == 1, "install.yaml has another configuration"
        cls.folder = server().run.data / "platform"
        cls.folder.mkdir(exist_ok=True)
        (cls.folder / "install.yaml").write_text(text.replace(DEFAULTS, LIMITS))
        cls.addClassCleanup(uninstall)
        kubectl("apply", "-f", cls.folder / "install.yaml")
        wait_replicas()
        wait_until("a Ray pod mutated", is_mutated, 60)

    @classmethod
    def remove_clusters(cls):
        kubectl("delete", "rayclusters", "--all", "-n", cls.namespace)
        kubectl("delete", "pods", "--all", "-n", cls.namespace, "--grace-period=0", "--force")

    @classmethod
    def person(cls, name):
        return person(name, cls.namespace)

    def mend(self, finding, editor=None):
        mend(finding, self.folder, editor)
        self.tell(finding, mended=True)

    def tell(self, finding, mended=False):
        record("doctor", faults={finding["check"]: {
            "found as": finding["severity"], "mended by the command that it names": mended}})

    def assertFound(self, check, where, *words, severity="error"):
        """The one finding of a check, and the exit code of all of them."""
        report = wait_report(f"{check} at {where}", lambda report: report.of(check, where))
        self.assertEqual(report.code, 1 if report.has_errors() else 0, report.findings)
        [finding] = report.of(check, where)
        self.assertEqual(finding["severity"], severity, finding)
        for word in words:
            self.assertIn(word, finding["what"])
        self.tell(finding)
        return finding

    def webhook(self, name, *arguments, **more):
        self.addCleanup(kubectl, "delete", "validatingwebhookconfiguration", name,
                        "--ignore-not-found")
        create(foreign_webhook(name, *arguments, **more))
        return f"ValidatingWebhookConfiguration/{name} webhook {name}.example.com"

    def own_bundle(self):
        return bundles()[0]

    # ---- who looks ----

    def test_a_sound_installation(self):
        report = wait_healthy()
        self.assertEqual(report.code, 0)
        text = rayfix("doctor")
        self.assertEqual(text.code, 0)
        self.assertIn("0 errors, 0 warnings\n", text.out)
        self.assertIn("Kubernetes v1.", text.out)

    def test_a_viewer_sees_all_but_the_secret(self):
        report = Report(self.viewer)
        self.assertEqual(report.code, 0)
        [note] = report.findings
        self.assertEqual((note["severity"], note["where"]), ("note", "the serving certificate"))
        audit = rayfix("audit", "-o", "json", "-n", self.namespace, person=self.viewer)
        self.assertEqual(audit.code, 1)
        self.assertEqual(audit.json()["notAudited"], [])
        self.assertEqual(audit.json()["configuration"]["source"], "config-map")
        other = kubectl("get", "configmap", "kube-root-ca.crt", "-n", NAMESPACE,
                        f"--kubeconfig={self.viewer}", check=False)
        self.assertIn("forbidden", other.err)

    def test_somebody_who_may_do_nothing(self):
        nobody = self.person("nobody")
        report = Report(nobody)
        self.assertEqual(report.code, 3)
        self.assertEqual({(each["severity"], each["check"]) for each in report.findings},
                         {("note", "not-checked")})
        audit = rayfix("audit", "-o", "json", person=nobody)
        self.assertEqual(audit.code, 3)
        self.assertEqual(len(audit.json()["notAudited"]), 5)
        self.assertIn("403 Forbidden", audit.json()["configuration"]["note"])

    def test_somebody_of_one_namespace(self):
        """The limits of the installation are not theirs to read; that is said."""
        member = self.person("member")
        kubectl("create", "role", "member", "-n", self.namespace, "--verb=list",
                "--resource=rayclusters.ray.io,rayjobs.ray.io,rayservices.ray.io",
                "--resource=poddisruptionbudgets.policy")
        kubectl("create", "rolebinding", "member", "-n", self.namespace, "--role=member",
                f"--serviceaccount={self.namespace}:member")
        audit = rayfix("audit", "-n", self.namespace, person=member)
        self.assertEqual(audit.code, 0, audit.out + audit.err)
        first, second, *_ = audit.out.splitlines()
        self.assertEqual(first, "configuration: defaults")
        self.assertIn("get configmaps/rayfix in rayfix-system: 403 Forbidden", second)
        self.assertIn(f"\n{self.namespace} ", audit.out)

    # ---- faults ----

    def test_a_foreign_webhook_locks_the_cluster_up(self):
        where = self.webhook("deadly", self.own_bundle(), resources=("", "pods"),
                             namespaces=("kube-system", NAMESPACE))
        for namespace in ("kube-system", NAMESPACE):
            report = Report()
            self.assertEqual(report.code, 1)
            [finding] = [each for each in report.of("webhook-deadlock", where)
                         if each["what"].endswith(f"of namespace {namespace}")]
            self.assertEqual(finding["severity"], "error")
            wanted = finding["fix"].partition("namespaceSelector ")[2].partition(";")[0]
            self.mend(finding, rf"s|^    matchExpressions:|&\n    - {wanted}|")
        wait_healthy()

    def test_a_foreign_webhook_without_a_server(self):
        where = self.webhook("lost", self.own_bundle(), service="nowhere")
        finding = self.assertFound("webhook-endpoints", where,
                                   "its Service rayfix-system/nowhere does not exist")
        self.mend(finding)
        wait_healthy()

    def test_a_foreign_bundle_that_has_expired(self):
        where = self.webhook("ignored", base64_of(EXPIRED), fails=False)
        self.assertFound("webhook-bundle", where, severity="warning")
        where = self.webhook("old", base64_of(EXPIRED))
        self.assertFound("webhook-bundle", where, "its caBundle has expired on 2021-01-01T")
        for name in ("old", "ignored"):  # as the tool that made it would
            kubectl("patch", "validatingwebhookconfiguration", name, "--type=json", "-p",
                    json.dumps([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle",
                                 "value": self.own_bundle()}]))
        wait_healthy()

    def test_a_foreign_ca_in_one_of_our_webhooks_is_put_right_by_the_server(self):
        kubectl("patch", "validatingwebhookconfiguration", "rayfix", "--type=json", "-p",
                json.dumps([{"op": "replace", "path": "/webhooks/1/clientConfig/caBundle",
                             "value": base64_of((server().run.pki / "ca.crt").read_text())}]))
        wait_until("our CA in every webhook", lambda: all(
            base64.b64decode(self.own_bundle()) in base64.b64decode(each) for each in bundles()))
        wait_healthy()

    def test_too_few_replicas(self):
        where = f"Deployment/rayfix in {NAMESPACE}"
        for replicas, severity, what in ((1, "warning", "has one replica"),
                                         (0, "error", "is scaled to no replica")):
            kubectl("scale", "deployment", "rayfix", "-n", NAMESPACE, f"--replicas={replicas}")
            report = wait_report(what, lambda report: any(
                each["what"] == what for each in report.of("installation", where)))
            [finding] = report.of("installation")
            self.assertEqual(finding["severity"], severity)
            self.assertEqual(report.code, 1 if report.has_errors() else 0)
        self.mend(finding)
        wait_replicas()
        wait_healthy()

    def test_two_versions(self):
        kubectl("set", "image", "deployment/rayfix", "-n", NAMESPACE,
                f"rayfix={image_name()}-next")
        self.addCleanup(wait_healthy)
        self.addCleanup(kubectl, "rollout", "undo", "deployment/rayfix", "-n", NAMESPACE)
        report = Report()
        self.assertEqual(report.code, 0)
        old = [each for each in report.of("version") if each["severity"] == "warning"]
        self.assertEqual(len(old), 2, report.findings)
        for finding in old:
            self.assertEqual(finding["what"], f"runs {image_name()}, the Deployment says "
                                              f"{image_name()}-next")

    def test_a_permission_is_taken_away(self):
        kubectl("delete", "rolebinding", "rayfix", "-n", NAMESPACE)
        report = wait_report("all six are missed",
                             lambda report: len(report.of("permissions")) == 6)
        self.assertEqual(report.code, 1)
        self.assertEqual(len(report.findings), 6)
        what = [finding["what"] for finding in report.findings]
        self.assertIn(f"may not update secrets/rayfix-certificates in {NAMESPACE}", what)
        self.mend(report.findings[0])
        wait_healthy()

    def test_a_secret_of_another_cluster(self):
        """Restored while no server ran; the first that runs changes the CA."""
        before = bundles()
        kubectl("scale", "deployment", "rayfix", "-n", NAMESPACE, "--replicas=0")
        self.addCleanup(kubectl, "scale", "deployment", "rayfix", "-n", NAMESPACE, "--replicas=2")
        kubectl("delete", "pods", "--all", "-n", NAMESPACE, "--grace-period=0", "--force")
        wait_until("no server runs", lambda: not all_pods())
        kubectl("annotate", "secret", "rayfix-certificates", "-n", NAMESPACE, "--overwrite",
                "rayfix.io/cluster-uid=of-another")
        self.assertFound("identity", f"Secret/rayfix-certificates in {NAMESPACE}",
                         "in the cluster with UID of-another")
        self.assertEqual(Report(self.viewer).of("identity"), [], "a viewer sees no Secret")
        self.mend(Report().of("installation")[0])
        wait_replicas()
        wait_healthy()
        wait_until("another CA everywhere", lambda: all(
            new and new != old for new, old in zip(bundles(), before)))
        wait_until("a Ray pod mutated", is_mutated)

    def test_a_budget_that_never_allows_an_eviction(self):
        budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                  "metadata": {"name": "workers", "namespace": self.namespace},
                  "spec": {"maxUnavailable": 1, "selector": WORKERS}}
        create(budget)
        self.addCleanup(kubectl, "delete", "pdb", "workers", "-n", self.namespace)
        finding = self.assertFound(
            "disruption-budget", f"PodDisruptionBudget/workers in {self.namespace}",
            "never allows an eviction", "does not implement the scale subresource")
        self.mend(finding, "s/maxUnavailable: 1/minAvailable: 1/")
        wait_healthy()

    def test_a_gpu_node_with_room_for_few_pods(self):
        node = "few-pods"
        add_node(node, capacity={"amd.com/gpu": "8", "pods": "27"}, taints=[FAKE_TAINT])
        self.addCleanup(kubectl, "delete", "node", node)
        self.assertFound("gpu-node-pods", f"Node/{node}", "8 GPUs, and room for 27 pods",
                         severity="warning")
        room = {"pods": "28"}
        kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p",
                json.dumps({"status": {"allocatable": room, "capacity": room}}))
        wait_healthy()

    def test_dns_with_one_replica(self):
        labels = {"k8s-app": "kube-dns"}
        create({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "coredns", "namespace": "kube-system", "labels": labels},
                "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
                    "metadata": {"labels": labels},
                    "spec": on_fake_nodes({"containers": [{"name": "dns", "image": "dns"}]})}}})
        self.addCleanup(kubectl, "delete", "deployment", "coredns", "-n", "kube-system")
        where = "Deployment/coredns in kube-system"
        kubectl("rollout", "status", "deployment/coredns", "-n", "kube-system", "--timeout=60s")
        finding = self.assertFound("dns-replicas", where, "1 ready replicas for",
                                   severity="warning")
        self.mend(finding)
        wait_healthy()

    # ---- audit ----

    def audit(self, *arguments):
        done = rayfix("audit", "-o", "json", *arguments)
        if done.code not in (0, 1):
            raise AssertionError(f"rayfix audit: exit code {done.code}: {done.err}")
        report = done.json()
        mine = [each for each in report["namespaces"] if each["namespace"] == self.namespace]
        return done.code, report["configuration"], mine

    def test_audit_judges_as_the_server_does(self):
        code, configuration, [mine] = self.audit()
        self.assertEqual(code, 1)
        self.assertEqual(configuration, {
            "source": "config-map", "name": f"ConfigMap/rayfix in {NAMESPACE}", "note": ""})
        figures = {name: mine[name] for name in (
            "objects", "denied", "workers", "maxWorkers", "idleWorkers", "gpus", "idleGpus")}
        self.assertEqual(figures, {"objects": 1, "denied": 1, "workers": 3, "maxWorkers": 47,
                                   "idleWorkers": 2, "gpus": 4, "idleGpus": 4})
        [violation] = [each for each in mine["violations"] if each["action"] == "deny"]
        self.assertEqual((violation["kind"], violation["name"], violation["rule"]),
                         ("RayCluster", "greedy", "max-workers"))
        self.assertIn("47 exceeds the limit of 40", violation["message"])
        refused = create(too_large("twin", self.namespace), "--dry-run=server", check=False)
        self.assertIn(violation["message"], refused.err)
        record("audit", **figures)
        text = rayfix("audit", "-n", self.namespace)
        self.assertEqual(text.code, 1)
        self.assertTrue(text.out.startswith(f"configuration: {configuration['name']}\n"), text.out)
        self.assertRegex(text.out, rf"(?m)^{self.namespace} +1 +1 +0 +3 +47 +2 +4 +4$")

    def test_audit_with_what_is_to_be_applied_next(self):
        file = ROOT / "deploy" / "config" / "default.yaml"
        code, configuration, [mine] = self.audit("-n", self.namespace, "--config", file)
        self.assertEqual((code, configuration["source"]), (0, "file"))
        self.assertEqual((mine["denied"], mine["maxWorkers"]), (0, 47))

    def test_audit_follows_the_config_map(self):
        before = get("configmap", "rayfix", NAMESPACE)
        for field in ("resourceVersion", "uid"):
            before["metadata"].pop(field)
        self.addCleanup(kubectl, "apply", "-f", "-", stdin=before)
        head = "apiVersion: rayfix.io/v1alpha1\nkind: Configuration\n"

        def configure(text):
            patch("configmap", "rayfix", NAMESPACE, {"data": {"config.yaml": head + text}})
        configure("validators: {max-workers: {max: 47}}\n")
        self.assertEqual(self.audit("-n", self.namespace)[0], 0)
        configure("validators: {max-workers: {max: 46}}\n")
        self.assertEqual(self.audit("-n", self.namespace)[0], 1)
        configure("validators: {max-workers: {maxx: 46}}\n")
        done = rayfix("audit")
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn(f"ConfigMap/rayfix in {NAMESPACE}: config.yaml:3:28: "
                      "validators.max-workers.maxx: ", done.err)
        kubectl("delete", "configmap", "rayfix", "-n", NAMESPACE)
        code, configuration, _ = self.audit("-n", self.namespace)
        self.assertEqual((code, configuration["source"]), (0, "defaults"))
        self.assertIn("404 NotFound", configuration["note"])
