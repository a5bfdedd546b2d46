"""Installed by one command, used, restarted and uninstalled by one command."""

import base64
import json
import re
import sys
import unittest

from calls import Calls, is_admitted
from installed import (INSTALL, NAMESPACE, POD, bring_back, bring_image, bundles, install,
                       is_mutated, is_ready, replicas, send_away, uninstall, wait_replicas)
from kube import ROOT, Story, group, kubectl, patch, ray_cluster, wait_until
from proof import record
from server import needs_the_bed, server

sys.path.insert(0, str(ROOT / "tests" / "deploy"))

import programs  # noqa: E402
from manifests import objects_of  # noqa: E402
from render_test import VALUES, helm, kustomize  # noqa: E402

PODS = "/api/v1/namespaces/default/pods"
# Objects of install.yaml that no namespace takes along.
CLUSTER_WIDE = ("clusterroles,clusterrolebindings,mutatingwebhookconfigurations,"
                "validatingwebhookconfigurations,namespaces")


@needs_the_bed
class Manifests(unittest.TestCase):
    """The API server takes everything that is rendered."""

    @classmethod
    def setUpClass(cls):
        if programs.missing():
            raise unittest.SkipTest("run: tests/deploy/programs.py")
        kubectl("apply", "--server-side", "-f", programs.CRD_FOLDER)
        cls.addClassCleanup(kubectl, "delete", "-f", programs.CRD_FOLDER)
        kubectl("wait", "--for=condition=Established", "-f", programs.CRD_FOLDER)

    def taken(self, text):
        done = kubectl("apply", "--dry-run=server", "--server-side", "--force-conflicts", "-f", "-",
                       stdin=text, check=False)
        self.assertTrue(done.ok, done.err)
        self.assertNotIn("Warning", done.err)

    def test_kustomize(self):
        for components in [(), *((name,) for name in VALUES), tuple(VALUES)]:
            with self.subTest(components=components):
                self.taken(kustomize(components))

    def test_helm(self):
        self.taken(helm())
        self.taken(helm(tuple(VALUES)))

    def test_examples(self):
        for path in (ROOT / "deploy" / "examples").glob("*.yaml"):
            self.taken(path.read_text())


@needs_the_bed
class Install(Story):

    def setUp(self):
        super().setUp()
        self.image = bring_image()
        send_away()
        self.addCleanup(bring_back)
        self.addCleanup(uninstall)

    def assertNoDifference(self, *arguments):
        done = kubectl("diff", *arguments, "-f", INSTALL, check=False)
        self.assertEqual(done.code, 0, (done.out + done.err)[:3000])

    def test_from_the_first_apply_to_the_last_delete(self):
        seconds = install()
        record("install", **{"image": self.image, "ready and mutating after, s": seconds})
        self.assertLessEqual(seconds, 15)
        self.a_second_apply_changes_nothing()
        self.nor_after_a_rotation()
        self.an_emptied_bundle_comes_back()
        self.replicas_are_replaced()
        self.a_replica_that_cannot_be_called_is_not_ready()
        self.both_replicas_are_lost()
        self.it_is_uninstalled()

    def a_second_apply_changes_nothing(self):
        """No field that the server writes is rendered, so nobody fights over one."""
        before = bundles()
        self.assertTrue(all(before), "the server wrote them")
        self.assertNoDifference()
        kubectl("apply", "-f", INSTALL)
        self.assertEqual(bundles(), before)
        # As Flux does it. The first time it takes over the fields of `kubectl apply`.
        kubectl("apply", "--server-side", "-f", INSTALL)
        self.assertNoDifference("--server-side")
        self.assertEqual(bundles(), before)

    def nor_after_a_rotation(self):
        """Who deletes the Secret gets a new CA."""
        before = bundles()
        kubectl("delete", "secret", "rayfix-certificates", "-n", NAMESPACE)
        wait_until("another caBundle everywhere", lambda: all(
            new and new != old for new, old in zip(bundles(), before)))
        wait_until("a Ray pod mutated", is_mutated)
        self.assertNoDifference()
        self.assertNoDifference("--server-side")

    def an_emptied_bundle_comes_back(self):
        """One of five: the others must not suffer from what puts it back."""
        before = bundles()
        kubectl("patch", "validatingwebhookconfiguration", "rayfix", "--type=json", "-p",
                json.dumps([{"op": "remove", "path": "/webhooks/1/clientConfig/caBundle"}]))
        wait_until("caBundle as it was", lambda: bundles() == before)

    def replicas_are_replaced(self):
        """A rolling restart, and a drain that takes the replicas in turn: nobody notices."""
        with Calls(server().run, PODS, POD) as calls:
            kubectl("rollout", "restart", "deployment/rayfix", "-n", NAMESPACE)
            kubectl("rollout", "status", "deployment/rayfix", "-n", NAMESPACE, "--timeout=60s")
            for pod in wait_replicas():
                self.evicted(pod)
                wait_replicas()
        record("install", **{"rolling restart and drain": {
            "calls": calls.made, "failed": len(calls.failed), "failed open": calls.fails_open}})
        self.assertEqual(calls.failed, [])
        self.assertEqual(calls.fails_open, 0)

    def evicted(self, pod):
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction"
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                    "metadata": {"name": name, "namespace": NAMESPACE}}

        def allowed():
            return kubectl("create", "--raw", path, "-f", "-", stdin=eviction, check=False).ok
        wait_until("the budget lets it go", allowed, 30)

    def a_replica_that_cannot_be_called_is_not_ready(self):
        """It listens where only itself gets through: all is well at /readyz of its plain port."""
        old = {pod["metadata"]["name"] for pod in replicas()}
        alone = {"op": "add", "path": "/spec/template/spec/containers/0/args/-",
                 "value": "--bind-address=127.0.0.1:9443"}
        patch("deployment", "rayfix", NAMESPACE, [alone], True, "json")

        def probed():
            """The new one, when the kubelet has been turned away, or has not."""
            for pod in replicas():
                name = pod["metadata"]["name"]
                events = kubectl("get", "events", "-n", NAMESPACE, "--field-selector",
                                 f"involvedObject.name={name}").out
                refused = re.search("Readiness probe failed: .*:9443/readyz.* refused", events)
                if name not in old and (refused or is_ready(pod)):
                    return pod
        pod = wait_until("a readiness probe", probed, 60)
        self.assertFalse(is_ready(pod))
        [container] = pod["status"]["containerStatuses"]
        self.assertTrue(container["started"], "it is alive")
        self.assertEqual(container["restartCount"], 0)
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}:8080/proxy/readyz"
        wait_until("it finds nothing wrong itself",
                   lambda: kubectl("get", "--raw", path, check=False).out == "ok")
        self.assertTrue(is_mutated(), "the others serve on")
        kubectl("rollout", "undo", "deployment/rayfix", "-n", NAMESPACE)
        self.assertEqual({pod["metadata"]["name"] for pod in wait_replicas()}, old)

    def both_replicas_are_lost(self):
        """As when every node restarts: the webhooks are registered, and nobody answers."""
        names = [pod["metadata"]["name"] for pod in replicas()]
        kubectl("delete", "pods", *names, "-n", NAMESPACE, "--grace-period=0", "--force")
        new = wait_replicas()
        self.assertFalse(set(names) & {pod["metadata"]["name"] for pod in new})

    def it_is_uninstalled(self):
        """While it goes nothing is refused; afterwards nothing is left."""
        cluster = ray_cluster("meanwhile", self.namespace, group("cpu", 1, 2))
        path = f"/apis/ray.io/v1/namespaces/{self.namespace}/rayclusters"
        with Calls(server().run, path, cluster, is_admitted) as calls:
            seconds = uninstall()
        record("install", **{"uninstalled after, s": seconds,
                             "refused meanwhile": len(calls.failed)})
        self.assertEqual(calls.failed, [])
        left = kubectl("get", CLUSTER_WIDE, "-o", "name").out.split()
        self.assertEqual([name for name in left if "rayfix" in name], [])
        events = kubectl("get", "events", "-A", "-o", "name").out
        self.assertNotIn("event/rayfix", events)


@needs_the_bed
class CertManager(unittest.TestCase):
    """The component cert-manager. cert-manager itself is not here: its Secret and what its
    cainjector writes are made as its documentation says."""

    def setUp(self):
        bring_image()
        send_away()
        self.addCleanup(bring_back)
        self.objects = [thing for thing in objects_of(kustomize(("cert-manager",)))
                        if not thing["apiVersion"].startswith("cert-manager.io/")]
        self.addCleanup(uninstall)

    def test_it_serves_with_a_mounted_secret_and_no_access(self):
        kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List",
                                           "items": self.objects})
        certificates = server().run.data / "rayfix-certs"
        files = [f"--from-file={name}={certificates / name}"
                 for name in ("tls.crt", "tls.key", "ca.crt")]
        kubectl("create", "secret", "generic", "rayfix-certificates", "-n", NAMESPACE, *files)
        self.inject((certificates / "ca.crt").read_bytes())
        for pod in wait_replicas():
            mounted = [mount["name"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
            self.assertEqual(sorted(mounted), ["certificates", "config"], "no token")
        wait_until("a Ray pod mutated", is_mutated)

    def inject(self, ca):
        """As the cainjector: the annotation names the Secret, ca.crt in it is the bundle."""
        bundle = base64.b64encode(ca).decode()
        for kind in ("mutatingwebhookconfiguration", "validatingwebhookconfiguration"):
            hooks = kubectl("get", kind, "rayfix", "-o", "json").json()["webhooks"]
            changes = [{"op": "add", "path": f"/webhooks/{number}/clientConfig/caBundle",
                        "value": bundle} for number in range(len(hooks))]
            kubectl("patch", kind, "rayfix", "--type=json", "-p", json.dumps(changes))
