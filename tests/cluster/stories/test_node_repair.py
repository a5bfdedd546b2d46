"""repair-taints and repair-lifecycle: nodes that are about to be rebooted, reimaged or looked at by
hand get no Ray pods, and go through their repair in order. docs/node-repair.md has the webhooks."""

import base64
import json
import unittest

from configured import with_configuration
from kube import (FAKE_TAINT, ROOT, Story, add_node, bare_worker, create, get, group, kubectl,
                  manifest_text, patch, pods, ray_cluster, wait_until)
from proof import record
from server import needs_the_bed, server

EVERYTHING = [{"operator": "Exists"}]


def taint(key, effect="NoSchedule"):
    return {"key": key, "effect": effect}


def block(start):
    """The YAML of docs/node-repair.md that begins so."""
    text = (ROOT / "docs" / "node-repair.md").read_text()
    [found] = [part.partition("```")[0] for part in text.split("```yaml\n")[1:]
               if part.startswith(start)]
    return found


def register(story, text):
    """Registers a webhook configuration until the story ends."""
    [configuration] = manifest_text(text)
    bundle = (server().run.data / "rayfix-certs" / "ca.crt").read_bytes()
    for webhook in configuration["webhooks"]:
        webhook["clientConfig"]["caBundle"] = base64.b64encode(bundle).decode()
    story.addCleanup(kubectl, "delete", configuration["kind"], configuration["metadata"]["name"])
    create(configuration)


class Repaired(Story):

    def setUp(self):
        super().setUp()
        self.node = f"repair-{self.namespace}"[-40:].strip("-")
        self.addCleanup(kubectl, "delete", "node", self.node)
        add_node(self.node, labels={"pool": self.namespace}, taints=[FAKE_TAINT])

    def set_taints(self, *taints, check=True):
        content = {"spec": {"taints": [FAKE_TAINT, *taints]}}
        return kubectl("patch", "node", self.node, "--type=merge", "-p", json.dumps(content),
                       check=check)

    def cluster(self, tolerations=None):
        workers = group("cpu", 1, 2)
        spec = workers["template"]["spec"]
        spec["nodeSelector"] = {"pool": self.namespace}
        spec["tolerations"] = tolerations or spec["tolerations"]
        return ray_cluster("training", self.namespace, workers)

    def worker(self):
        return pods(self.namespace, "ray.io/node-type=worker")[0]

    def wait_running(self):
        wait_until("the worker runs", lambda: pods(self.namespace, "ray.io/node-type=worker")
                   and self.worker()["status"]["phase"] == "Running")


@needs_the_bed
class Taints(Repaired):

    def test_without_rayfix_a_worker_starts_on_a_node_that_is_about_to_reboot(self):
        server().off()
        self.addCleanup(server().on)
        self.set_taints(taint("repair-reboot"))
        create(self.cluster(EVERYTHING))
        self.wait_running()
        self.assertEqual(self.worker()["spec"]["nodeName"], self.node)
        record("repair-taints", without="a worker that tolerates everything runs on the node that "
                                        "is about to reboot")

    def test_with_rayfix_its_cluster_is_refused_and_others_wait_for_the_repair(self):
        self.set_taints(taint("repair-reboot"))
        self.assertDenied(create(self.cluster(EVERYTHING), check=False), "repair-taints (V13)")
        create(self.cluster())
        wait_until("the worker cannot be scheduled", lambda: pods(
            self.namespace, "ray.io/node-type=worker") and any(
                "untolerated taint" in condition.get("message", "")
                for condition in self.worker()["status"].get("conditions", [])))
        self.set_taints()
        self.wait_running()
        record("repair-taints", **{"with": "its RayCluster is refused; one that does not tolerate "
                                           "it runs when the node is repaired"})

    def test_workers_of_an_older_cluster_come_back(self):
        server().off()
        try:
            create(self.cluster(EVERYTHING))
            self.wait_running()
        finally:
            server().on()
        lost = self.worker()["metadata"]
        kubectl("delete", "pod", lost["name"], "-n", self.namespace)
        wait_until("another worker", lambda: [
            pod for pod in pods(self.namespace, "ray.io/node-type=worker")
            if pod["metadata"]["uid"] != lost["uid"]])
        self.wait_running()

    def test_a_pending_pod_cannot_be_given_the_toleration(self):
        register(self, "apiVersion: admissionregistration.k8s.io/v1\n"
                       "kind: ValidatingWebhookConfiguration\n"
                       "metadata: {name: rayfix-pods-update}\n"
                       "webhooks:\n" + block("- name: pods-update.rayfix.io"))
        def tolerate(key):
            tolerations = get("pod", "worker", self.namespace)["spec"]["tolerations"]
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoSchedule"})
            return patch("pod", "worker", self.namespace, {"spec": {"tolerations": tolerations}},
                         False, "merge", "--dry-run=server")
        pod = bare_worker("worker", self.namespace)
        pod["spec"]["nodeSelector"] = {"stories": "nowhere"}
        create(pod)
        wait_until("the API server calls the webhook", lambda: not tolerate("repair-reboot").ok)
        self.assertDenied(tolerate("repair-reboot"), "repair-taints (V13)")
        self.assertTrue(tolerate("other").ok)


@needs_the_bed
class Lifecycle(Repaired):
    """none -> repair-reboot -> (none | repair-reimage) -> (none | repair-manual) -> none"""

    def refuses(self, *taints):
        return not self.set_taints(*taints, check=False).ok

    def test_without_rayfix_a_step_is_left_out(self):
        self.set_taints(taint("repair-manual"))
        self.set_taints(taint("repair-reboot"), taint("repair-manual"))
        record("repair-lifecycle", without="none -> repair-manual, two at once: all is admitted")

    def test_a_repair_goes_through_its_steps_and_no_other_way(self):
        with_configuration(self, validators={"repair-lifecycle": {"action": "deny"}})
        register(self, block("apiVersion: admissionregistration.k8s.io/v1"))
        reboot, reimage, manual = (taint(f"repair-{step}")
                                   for step in ("reboot", "reimage", "manual"))
        def called():
            admitted = self.set_taints(manual, check=False).ok
            self.set_taints()
            return not admitted
        wait_until("the API server calls the webhook", called)
        refused = self.set_taints(manual, check=False)
        self.assertDenied(refused, "- repair-lifecycle (NR): ", "Path: spec.taints[1]; found: "
                          "none -> repair-manual", "wanted: repair-reimage -> repair-manual")
        record("rules", answers={"repair-lifecycle (NR)": refused.err.partition("(NR): ")[2]
                                  .partition(" Fix: ")[0]})
        self.assertTrue(self.refuses(reimage))
        self.assertTrue(self.refuses(taint("repair-reboot", "NoExecute")))
        self.set_taints(reboot)
        self.what_others_write()
        self.assertTrue(self.refuses(reboot, reimage), "one at a time")
        self.assertTrue(self.refuses(manual))
        self.set_taints(reboot, taint("slow-network"))
        self.set_taints(reimage)
        self.set_taints(manual)
        self.set_taints()
        record("repair-lifecycle", **{"with": "four wrong steps refused, the right ones admitted; "
                                              "status, cordon and other taints too"})

    def what_others_write(self):
        """The kubelet, a drain, a person: nothing of theirs is about these taints."""
        kubectl("cordon", self.node)
        kubectl("label", "node", self.node, "stories/touched=yes")
        kubectl("uncordon", self.node)
        kubectl("patch", "node", self.node, "--subresource=status", "--type=merge", "-p",
                json.dumps({"status": {"nodeInfo": {"kernelVersion": "of a story"}}}))


if __name__ == "__main__":
    unittest.main()
