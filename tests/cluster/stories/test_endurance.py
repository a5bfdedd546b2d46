"""What an installation endures while the API server calls it 200 times a second."""

import time
import unittest

from bed.paths import NODE
from calls import Calls
from hour import an_hour_of_calls
from installed import (INSTALL, NAMESPACE, POD, bring_back, bring_image, install, is_mutated,
                       replicas, send_away, uninstall, wait_replicas)
from kube import kubectl, wait_until
from proof import record
from replica import Follower, Replica
from server import needs_the_bed, server

PODS = "/api/v1/namespaces/default/pods"
OURS = "app.kubernetes.io/name=rayfix"
RESTARTS, ROTATIONS = 50, 100
CREATIONS, THREADS = 105, 8  # each creation of a Ray pod is two admission calls
# What a machine of two processors reaches on which all of Kubernetes runs, too.
CALLS_A_SECOND = 150
MEMORY = 16  # MiB
GIVEN_BACK = 12  # seconds after which a server has given back what it does not need
# In kB, what medians of fifteen seconds may differ by: free heap is given back every ten seconds
# only, and so are the pages of libcrypto that a handshake touches.
NOISE = 768
CONNECTION = 50  # kB that an open one takes, at most
IDLE = 95  # seconds until idle connections end as fast as others begin

ORDINARY = "certificates: {source: secret}"
# Each CA is due as soon as it signs, so that the next one is on its way all the time.
ROTATING = ("certificates: {source: secret, settle: 1s, resync: 5s, leafLifetime: 5m, "
            "caLifetime: 10m, caRenewBefore: 599s}")


def mib(kb):
    return round(kb / 1024, 1)


def steady_calls():
    return Calls(server().run, PODS, POD, a_second=CREATIONS, threads=THREADS)


class Endurance(unittest.TestCase):

    def setUp(self):
        bring_image()
        send_away()
        self.addCleanup(bring_back)
        self.addCleanup(uninstall)

    def assertUnnoticed(self, calls, what):
        record("endurance", **{what: calls.figures()})
        self.assertEqual(calls.failed, [])
        self.assertEqual(calls.fails_open, 0)

    def assertBusy(self, calls):
        """Last: a machine that was too slow says nothing against rayfix."""
        self.assertGreaterEqual(calls.a_second, CALLS_A_SECOND, "admission calls a second")


@needs_the_bed
class Rotations(Endurance):

    def test_a_hundred_changes_of_ca_and_leaf(self):
        text = INSTALL.read_text()
        self.assertIn(ORDINARY, text)
        kubectl("apply", "-f", "-", stdin=text.replace(ORDINARY, ROTATING))
        pods = wait_replicas()
        wait_until("a Ray pod mutated", is_mutated, 60)
        with Follower(Replica(pods[0])) as first, Follower(Replica(pods[1])) as second:
            with steady_calls() as calls:
                wait_until(f"{ROTATIONS} changes", lambda: calls.failed or min(
                    *first.changes(), *second.changes()) >= ROTATIONS, 900)
        self.assertUnnoticed(calls, f"{ROTATIONS} changes of CA and leaf")
        for number, follower in enumerate((first, second), 1):
            self.keeps_its_size(follower, number)
        self.assertBusy(calls)

    def keeps_its_size(self, follower, number):
        """The API server takes new connections for each caBundle and leaves the old ones idle for
        90 s, so that only then as many end as begin."""
        early = follower.between(IDLE, IDLE + 15)
        late = follower.between(follower.seconds() - 15, follower.seconds())
        record("endurance", **{f"RSS of replica {number} while CA and leaf change": {
            f"after {early.changes} changes, {early.connections} connections, MiB": mib(early.kb),
            f"after {late.changes} changes, {late.connections} connections, MiB": mib(late.kb)}})
        more = max(0, late.connections - early.connections) * CONNECTION
        self.assertLessEqual(late.kb - early.kb, NOISE + more)


@needs_the_bed
class Replaced(Endurance):
    """Restarts, deaths and drains."""

    def setUp(self):
        super().setUp()
        install()

    def test_nobody_notices_but_for_what_a_sigkill_cuts(self):
        calls = self.fifty_rolling_restarts()
        for number, pod in enumerate(wait_replicas(), 1):
            self.killed(Replica(pod), number)
        self.drained_in_turn()
        self.assertBusy(calls)

    def fifty_rolling_restarts(self):
        began = time.monotonic()
        with steady_calls() as calls:
            for _ in range(RESTARTS):
                kubectl("rollout", "restart", "deployment/rayfix", "-n", NAMESPACE)
                kubectl("rollout", "status", "deployment/rayfix", "-n", NAMESPACE,
                        "--timeout=60s")
                if calls.failed:
                    break
        record("endurance", **{"one rolling restart, s": round(
            (time.monotonic() - began) / RESTARTS, 1)})
        self.assertUnnoticed(calls, f"{RESTARTS} rolling restarts")
        return calls

    def restarts_of(self, replica):
        pod = kubectl("get", "pod", replica.name, "-n", NAMESPACE, "-o", "json").json()
        return pod["status"]["containerStatuses"][0]["restartCount"]

    def killed(self, replica, number):
        """Until its address is taken out of the Service, calls go to it: pods are then admitted
        without fixes, and nothing else happens to them."""
        before = self.restarts_of(replica)
        with steady_calls() as calls:
            time.sleep(1)
            self.assertEqual(calls.failed, [])
            replica.kill()
            killed = time.monotonic()
            wait_until("its container started again",
                       lambda: self.restarts_of(replica) > before, 60)
            wait_replicas()
            ready = time.monotonic() - killed
            time.sleep(5)
        last = calls.failed_last - killed if calls.failed else 0
        record("endurance", **{f"SIGKILL of replica {number}": {
            **calls.figures(), "last failure after, s": round(last, 1),
            "both ready again after, s": round(ready, 1)}})
        self.assertLessEqual(set(calls.failed), {"not fixed"})
        self.assertLessEqual(last, ready, "none once both are ready again")

    def drain(self, selector, seconds):
        self.addCleanup(kubectl, "uncordon", NODE)
        return kubectl("drain", NODE, f"--pod-selector={selector}", f"--timeout={seconds}s",
                       check=False)

    def drained_in_turn(self):
        """There is one real node: what is evicted waits for it, and the other one serves."""
        first, second = wait_replicas()
        with steady_calls() as calls:
            drained = self.drain(OURS, 8)
            self.assertFalse(drained.ok, "the budget keeps one of two")
            self.assertIn("disruption budget", drained.err)
            [stayed] = [pod for pod in replicas() if pod["status"]["phase"] == "Running"]
            kubectl("uncordon", NODE)
            wait_replicas()
            kubectl("label", "pod", stayed["metadata"]["name"], "-n", NAMESPACE, "drained=second")
            drained = self.drain("drained=second", 60)
            self.assertTrue(drained.ok, drained.err)
            kubectl("uncordon", NODE)
            new = wait_replicas()
        self.assertFalse({pod["metadata"]["uid"] for pod in (first, second)}
                         & {pod["metadata"]["uid"] for pod in new})
        self.assertUnnoticed(calls, "both replicas drained in turn")


@needs_the_bed
class Memory(Endurance):

    def test_after_an_hour_of_calls(self):
        install()
        replica = Replica(wait_replicas()[0])
        idle, began = replica.memory(), time.monotonic()
        answered, failed = an_hour_of_calls(replica, server().run.data / "reviews")
        took, end = round(time.monotonic() - began), replica.memory()
        time.sleep(GIVEN_BACK)
        after = replica.memory()
        record("endurance", **{"an hour of calls, sent at once": {
            "admission reviews": answered, "failed": failed, "took, s": took,
            "RSS idle, MiB": mib(idle), "RSS at its end, MiB": mib(end),
            "RSS after it, MiB": mib(after), "highest RSS, MiB": mib(replica.memory("VmHWM"))}})
        self.assertEqual(failed, 0)
        self.assertLessEqual(mib(after), MEMORY)


if __name__ == "__main__":
    unittest.main()
