"""Each permission of install.yaml is needed: without it happens what docs/permissions.md says."""

import re
import time
import unittest

from account import (KINDS, ROLES, WEBHOOKS, Process, allow_all_but, apply, logs, own, page,
                     permissions, without)
from installed import (INSTALL, NAMESPACE, bring_back, bring_image, bundles, is_mutated, replicas,
                       send_away, uninstall, wait_replicas)
from kube import ROOT, kubectl, manifest, wait_until
from proof import record
from server import needs_the_bed, server

SECRET = "rayfix-certificates"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:rayfix"

NOT_READY = ("not ready", "not ready on the first start", "nothing is written")
SERVES_ON = "serves on until the certificate expires; says so"
ONLY_IN_THE_LOG = "only in the log"
UNSEEN = "it is not written, and the CA is not changed while it is valid"
UNTRUSTED = "the API server cannot verify the server: nothing is called"
LATE = "it looks every 5 minutes (`certificates.resync`)"


def promises():
    """(resource, verb): what the page says happens without it."""
    found, resources = {}, []
    for line in (ROOT / "docs" / "permissions.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 5 or cells[0] == "resource" or cells[0].startswith("---"):
            continue
        resources = re.findall(r"`([a-z]+)`", cells[0]) or resources  # or "the same"
        for resource in resources:
            found.update({(resource, verb): cells[4] for verb in cells[1].split(", ")})
    return found


PROMISES = promises()


def that(*effects):
    return [one for one in permissions() if PROMISES.get((one.resource, one.verb)) in effects]


def is_allowed(permission):
    name = "" if permission.verb == "create" else "/" + permission.name
    group = f".{permission.group}" if permission.group else ""
    answer = kubectl("auth", "can-i", permission.verb, f"{permission.resource}{group}{name}",
                     "-n", NAMESPACE, "--as", ACCOUNT, check=False)
    return answer.out.strip() == "yes"


def secret():
    found = kubectl("get", "secret", SECRET, "-n", NAMESPACE, "-o", "json", check=False)
    return found.json() if found.ok else None


def keys():
    return (secret() or {"data": {}})["data"]


def delete_secret():
    kubectl("delete", "secret", SECRET, "-n", NAMESPACE, "--ignore-not-found")


def empty_bundles():
    kubectl("replace", "-f", "-", stdin={"apiVersion": "v1", "kind": "List",
                                         "items": own(WEBHOOKS)})


def bundles_of(resource):
    """caBundle of each webhook of one configuration."""
    stored = kubectl("get", resource, "rayfix", "-o", "json").json()
    return [hook["clientConfig"].get("caBundle", "") for hook in stored["webhooks"]]


def events():
    found = kubectl("get", "events", "-n", NAMESPACE, "-o", "json").json()["items"]
    return [event for event in found if event["involvedObject"].get("name") == SECRET]


def take_away(*missing):
    allow_all_but(*missing)
    wait_until("the API server refuses", lambda: not any(map(is_allowed, missing)))


@needs_the_bed
class Permissions(unittest.TestCase):
    """The server is a process here: a start takes no pod, and the access is that of the pods."""

    @classmethod
    def setUpClass(cls):
        server().off()
        server().kill()
        cls.addClassCleanup(server().on)
        apply(own(KINDS))
        cls.addClassCleanup(cls.take_down)

    @classmethod
    def take_down(cls):
        kubectl("delete", "-f", "-", stdin={"apiVersion": "v1", "kind": "List",
                                            "items": own(KINDS)})
        delete_secret()

    def without(self, *missing, **certificates):
        """A first start: nothing is there yet."""
        delete_secret()
        empty_bundles()
        kubectl("delete", "events", "--all", "-n", NAMESPACE)
        take_away(*missing)
        return Process(**{"settle": "1s", "resync": "5s", **certificates})

    def says(self, process, *missing):
        for one in missing:
            wait_until(f"the log says: cannot {one}", lambda: one.is_refused().search(
                process.log()))

    def recovers(self, process):
        allow_all_but()
        wait_until("it is ready", process.is_ready, 60)
        wait_until("the API server calls it", server().is_called, 60)
        self.assertTrue(process.is_alive(), "the same process")

    def test_the_page_has_a_promise_for_each(self):
        known = {*NOT_READY, SERVES_ON, ONLY_IN_THE_LOG, UNSEEN, UNTRUSTED, LATE}
        for one in permissions():
            self.assertIn(PROMISES.get((one.resource, one.verb)), known, one)
        record("permissions", **{"taken away, one by one": len(permissions())})

    def test_not_ready(self):
        for one in that(*NOT_READY):
            with self.subTest(one), self.without(one) as process:
                self.says(process, one)
                reason = wait_until("the reason", process.why_not)
                self.assertRegex(reason, one.is_refused())
                self.assertTrue(process.is_alive())
                self.assertIsNone(secret(), "nothing is written")
                self.assertFalse(any(bundles()))
                self.recovers(process)

    def test_it_serves_until_the_certificate_expires(self):
        for one in that(SERVES_ON):
            with self.subTest(one), self.without(
                    leafLifetime="15s", leafRenewBefore="12s") as process:
                wait_until("the API server calls it", server().is_called, 60)
                take_away(one)
                self.says(process, one)
                self.assertTrue(server().is_called(), "it serves on")
                reason = wait_until("it is not ready", process.why_not)
                self.assertIn("expired", reason)
                self.assertRegex(reason, one.is_refused())
                self.recovers(process)

    def test_only_in_the_log(self):
        for one in that(ONLY_IN_THE_LOG):
            with self.subTest(one), self.without(one) as process:
                self.says(process, one)
                wait_until("the API server calls it", server().is_called, 60)
                self.assertIn("certificate created", process.log())
                self.assertEqual(events(), [])
                self.recovers(process)
                delete_secret()
                wait_until("an Event", events)

    def test_a_bundle_that_may_not_be_read(self):
        for one in that(UNSEEN):
            # A CA is due when it is made.
            with self.subTest(one), self.without(
                    one, caLifetime="2h", caRenewBefore="7199s", leafLifetime="1h") as process:
                self.says(process, one)
                wait_until("it is ready", process.is_ready)
                wait_until("the other bundles", lambda: any(bundles()))
                self.assertFalse(any(bundles_of(one.resource)))
                wait_until("a next CA", lambda: "next-ca.key" in keys())
                before = keys()["ca.key"]
                time.sleep(2)  # longer than it takes to settle
                self.assertTrue(keys()["ca.key"] == before, "it waits")
                self.recovers(process)
                wait_until("the next CA signs", lambda: keys()["ca.key"] != before)

    def test_a_bundle_that_may_not_be_written(self):
        for one in that(UNTRUSTED):
            with self.subTest(one), self.without(one) as process:
                self.says(process, one)
                wait_until("it is ready", process.is_ready)
                self.assertFalse(any(bundles_of(one.resource)))
                self.assertFalse(server().is_called())
                self.recovers(process)

    def test_it_is_late(self):
        """Those of a verb together: one that works would wake it, and it looks at everything."""
        for verb in ("list", "watch"):
            missing = [one for one in that(LATE) if one.verb == verb]
            with self.subTest(verb), self.without(*missing, settle="0s") as process:
                self.says(process, *missing)
                wait_until("the API server calls it", server().is_called, 60)
                before = process.last("caBundle written")
                empty_bundles()
                wait_until("it has looked", lambda: all(bundles()))
                self.assertGreater(process.last("caBundle restored") - before, 4.5)
                before = process.last("caBundle restored")
                delete_secret()
                wait_until("it has looked again", secret)
                self.assertGreater(process.last("certificate Secret restored") - before, 4.5)
                self.recovers(process)
                wait_until("it hears of each", lambda: len(set(re.findall(
                    r"a problem is over.*?(watching[^\"]*)", process.log()))) == len(missing), 60)


@needs_the_bed
class Installed(unittest.TestCase):
    """The two that matter most, with the pods of install.yaml."""

    def setUp(self):
        bring_image()
        send_away()
        self.addCleanup(bring_back)
        self.addCleanup(uninstall)

    def assertNeverRestarted(self):
        states = [status for pod in replicas() for status in pod["status"]["containerStatuses"]]
        self.assertEqual([state["restartCount"] for state in states], [0, 0])

    def test_pods_wait_and_say_why(self):
        [may_read] = [one for one in that("not ready")]
        self.install_without(may_read)
        pods = wait_until("two that run", lambda: (lambda found: found if len(found) == 2 and all(
            pod["status"]["phase"] == "Running" for pod in found) else None)(replicas()), 60)
        for pod in pods:
            reason = wait_until("its reason", lambda: may_read.is_refused().search(
                page(pod, "/readyz?verbose")))
            record("permissions", **{"unready": reason.group(0)})
            self.assertEqual(page(pod, "/livez"), "ok")
        self.assertNeverRestarted()
        allow_all_but()
        wait_replicas()
        wait_until("a Ray pod mutated", is_mutated, 60)
        self.the_bundles_may_not_be_written()
        self.assertNeverRestarted()

    def install_without(self, missing):
        apply([without(thing, [missing]) if thing["kind"] in ROLES and
               thing["metadata"]["name"] == "rayfix" else thing for thing in manifest(INSTALL)])

    def the_bundles_may_not_be_written(self):
        take_away(*that(UNTRUSTED))
        empty_bundles()
        for one in that(UNTRUSTED):
            wait_until(f"a log says: cannot {one}", lambda: one.is_refused().search(logs()))
        wait_replicas()
        self.assertFalse(is_mutated())
        allow_all_but()
        wait_until("a Ray pod mutated", is_mutated, 60)
