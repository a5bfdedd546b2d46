"""Two replicas, one Secret: wrong clocks, no API server, lost certificates, both at once from
nothing. There is one CA, and everything serves."""

import signal
import statistics
import time
import unittest
from pathlib import Path

from bed import control
from calls import Calls
from installed import INSTALL, NAMESPACE, POD, is_mutated, replicas, wait_replicas
from kube import dry_run, group, kubectl, manifest, ray_cluster, wait_until
from proof import record
from replicas import (FAKE_TIME, SECRET, Installed, Replica, apply_with, bring_image_with_clock,
                      cas, empty_bundles, hours_off, readiness, rotations, scale, secret, trusted)
from server import needs_the_bed, server

PODS = "/api/v1/namespaces/default/pods"
SECONDS_AWAY = 300
ROUNDS, ROUNDS_OF_WAITING = 20, 5


def refuses(pod):
    """Whether the replica says that the Secret is not its own."""
    return "is not ours" in readiness(pod)


@needs_the_bed
@unittest.skipUnless(Path(FAKE_TIME).exists(), "needs the package faketime")
class Clocks(Installed):
    """The API server's clock is right, and one replica's as well; the other's is not."""

    # What the one that is behind makes is due at once for the other: an hour of its life is over.
    LIFETIMES = "leafLifetime: 90m, caLifetime: 90m, settle: 2s"

    def test_one_is_an_hour_behind(self):
        self.tell(-1)

    def test_one_is_an_hour_ahead(self):
        self.tell(1)

    def tell(self, hours):
        name = f"rayfix.local/clock:{hours:+d}h".replace("+", "plus").replace("-", "minus")
        bring_image_with_clock(name, f"{hours:+d}h")
        apply_with(self.LIFETIMES, count=0)
        kubectl("apply", "-f", "-", stdin=self.deployment(name))
        wrong_first = self.both({"rayfix-clock": hours, "rayfix": 0})
        self.from_nothing()
        right_first = self.both({"rayfix": 0, "rayfix-clock": hours})
        record("replicas", **{f"a clock {hours:+d} h off": {
            "its replica makes the CA": wrong_first, "the other makes it": right_first}})

    def deployment(self, image):
        [found] = [thing for thing in manifest(INSTALL) if thing["kind"] == "Deployment"]
        found["metadata"]["name"] = "rayfix-clock"
        found["spec"]["replicas"] = 0
        for labels in (found["spec"]["selector"]["matchLabels"],
                       found["spec"]["template"]["metadata"]["labels"]):
            labels["clock"] = "wrong"
        found["spec"]["template"]["spec"]["containers"][0]["image"] = image
        return found

    def both(self, clocks):
        """The first makes the certificates; then the second comes, and each makes some."""
        first, second = clocks
        scale(1, first)
        self.wait_agreement(1)
        wait_until("a Ray pod mutated", is_mutated)
        with Calls(server().run, PODS, POD, a_second=8, threads=2) as calls:
            scale(1, second)
            wait_replicas()
            self.wait_agreement()
            changes = self.changes_by_both()
        for pod in replicas():
            deployment = pod["metadata"]["name"].rsplit("-", 2)[0]
            self.assertEqual(hours_off(pod), clocks[deployment], deployment)
        self.assertEqual(calls.failed, [])
        return {"calls": calls.made, "failed": len(calls.failed),
                "changes by each": " and ".join(map(str, changes))}

    def changes_by_both(self):
        """Rotations until both have made some; how many each has made."""
        for _ in range(20):
            self.lose_leaf()
            self.wait_agreement()
            made = [sum(count for result, count in rotations(pod).items() if result != "conflict")
                    for pod in replicas()]
            if min(made) > 1 and sum(made) > 8:
                return made
        self.fail(f"changes: {made}")

    def lose_leaf(self):
        """Whoever sees it first makes another."""
        kubectl("patch", "secret", SECRET, "-n", NAMESPACE, "--type=merge", "-p",
                '{"data": {"tls.crt": "", "tls.key": ""}}')


@needs_the_bed
class ApiServerAway(Installed):

    def test_both_go_on(self):
        apply_with("leafLifetime: 2160h")
        before = wait_replicas()
        self.wait_agreement()
        stored, bundles = secret(), trusted()
        self.addCleanup(control.start, server().run, "kube-apiserver")
        control.stop(server().run, "kube-apiserver", how=signal.SIGKILL)
        gone = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        answered = self.ask_for_a_while([Replica(pod, stored["ca.crt"]) for pod in before])
        control.start(server().run, "kube-apiserver")
        back = time.monotonic()
        wait_until("a Ray pod mutated", is_mutated, 60)
        dry_run(ray_cluster("after", self.namespace, group("cpu", 1, 2)))
        mutated = round(time.monotonic() - back, 1)
        wait_until("the replicas have seen it, too", lambda: all(
            "a problem is over" in self.log(pod, gone) for pod in before), 90)
        after = wait_replicas()
        self.assertEqual(list(map(identity, after)), list(map(identity, before)))
        self.assertEqual((secret(), trusted()), (stored, bundles))
        lines = [len(self.log(pod, gone).splitlines()) for pod in after]
        self.assertLessEqual(max(lines), 4, "the problem, and that it is over")
        record("replicas", **{"API server away": {
            "for, s": SECONDS_AWAY, "reviews answered meanwhile": answered,
            "mutated after, s": mutated, "most lines in a log": max(lines)}})

    def ask_for_a_while(self, known):
        """As often as costs nothing: others share the machine."""
        end, answered = time.monotonic() + SECONDS_AWAY, 0
        while time.monotonic() < end:
            for replica in known:
                self.assertTrue(replica.fixes(), replica.address)
                answered += 1
            time.sleep(10)
        return answered

    def log(self, pod, since):
        """Its lines but for those of reviews."""
        text = kubectl("logs", pod["metadata"]["name"], "-n", NAMESPACE, f"--since-time={since}",
                       check=False).out
        return "\n".join(line for line in text.splitlines() if '"path":' not in line)


def identity(pod):
    return (pod["metadata"]["uid"], pod["status"]["podIP"],
            pod["status"]["containerStatuses"][0]["restartCount"])


@needs_the_bed
class Lost(Installed):
    """The Secret, what the API server trusts, and both: everything comes back."""

    # The old CA goes when its last certificate is over: soon, so that there is one CA again.
    LIFETIMES = "leafLifetime: 20s, caLifetime: 1h, settle: 1s"

    def test_while_both_run(self):
        apply_with(self.LIFETIMES)
        wait_replicas()
        self.wait_agreement()
        calls = self.after("the Secret deleted", delete_secret)
        self.assertEqual(calls.failed, [])
        self.after("bundles emptied", empty_bundles, another=False)
        self.after("the Secret deleted and bundles emptied",
                   lambda: (delete_secret(), empty_bundles()))

    def after(self, what, loss, another=True):
        before = cas(secret()["ca.crt"])
        with Calls(server().run, PODS, POD, a_second=4, threads=2) as calls:
            began = time.monotonic()
            loss()
            wait_until("every caBundle has a CA", lambda: all(trusted()))
            back = round(time.monotonic() - began, 1)
            if another:
                wait_until("another CA, alone", lambda: is_another(secret(), before), 120)
            self.wait_agreement()
        seconds = round(time.monotonic() - began, 1)
        self.assertTrue(is_mutated())
        record("replicas", **{what: {
            "every caBundle has a CA after, s": back, "one CA after, s": seconds,
            "calls": calls.made, "pods that were not fixed": len(calls.failed)}})
        return calls


def delete_secret():
    kubectl("delete", "secret", SECRET, "-n", NAMESPACE)


def is_another(stored, before):
    now = cas(stored["ca.crt"]) if stored else set()
    return len(now) == 1 and not now & before


@needs_the_bed
class AtOnce(Installed):
    """Both start from nothing, again and again."""

    def setUp(self):
        super().setUp()
        apply_with("leafLifetime: 2160h", count=0)
        self.conflicts, self.seconds = 0, []

    def wait_one_ca(self, began):
        wait_replicas()
        self.wait_agreement()
        self.assertEqual(len(cas(secret()["ca.crt"])), 1)
        self.assertEqual(trusted(), [cas(secret()["ca.crt"])] * 5)
        wait_until("a Ray pod mutated", is_mutated)
        self.seconds.append(round(time.monotonic() - began, 1))
        self.conflicts += any("conflict" in rotations(pod) for pod in replicas())

    def tell(self, what):
        record("replicas", **{what: {
            "rounds": len(self.seconds), "decided by a conflict": self.conflicts,
            "one CA after, s": statistics.median(self.seconds),
            "at the longest after, s": max(self.seconds)}})

    def test_both_start_at_the_same_instant(self):
        for _ in range(ROUNDS):
            self.from_nothing()
            began = time.monotonic()
            scale(2)
            self.wait_one_ca(began)
        self.tell("both started at once")

    def test_both_may_begin_at_the_same_instant(self):
        """Containers start when they start. Here both wait for the same: that somebody takes away
        a Secret that is not theirs."""
        for _ in range(ROUNDS_OF_WAITING):
            self.from_nothing()
            kubectl("create", "secret", "generic", SECRET, "-n", NAMESPACE)
            scale(2)
            wait_until("both wait", lambda: len(list(filter(refuses, replicas()))) == 2, 60)
            began = time.monotonic()
            kubectl("delete", "secret", SECRET, "-n", NAMESPACE)
            self.wait_one_ca(began)
        self.tell("both began at once")
