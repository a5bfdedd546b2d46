"""readiness-probe: a head without a probe of its own gets traffic before its GCS answers."""

import time

from kube import Story, applied, get, kubectl, wait_until
from proof import record
from real import is_ready, needs_ray
from real_pod import ray_pod, run_in, run_pod
from server import needs_the_bed, server

DELAY = 15
# In 1Gi the second health check beside the probe's own was killed for lack of memory.
ROOM = {"cpu": "1", "memory": "2Gi"}
HEAD = f"sleep {DELAY}; exec ray start --head --num-cpus=0 --block"
PORT_IS_OPEN = "import socket; socket.create_connection(('127.0.0.1', 6379), 2)"
COST = ("import resource, subprocess, time; t = time.time(); "
        "subprocess.run(['ray', 'health-check', '--address', '127.0.0.1:6379']); "
        "print(time.time() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")


@needs_ray
@needs_the_bed
class Readiness(Story):

    def head_when_ready(self):
        """The head, and whether its GCS answered when the head became Ready."""
        pod = run_pod(ray_pod(self.namespace, "head", "head", HEAD,
                              resources={"requests": ROOM, "limits": ROOM}))
        began = time.monotonic()
        wait_until("the head ready", lambda: is_ready(get("pod", "head", self.namespace)), 240)
        seconds = round(time.monotonic() - began, 1)
        answers = run_in(pod, "python3", "-c", PORT_IS_OPEN, check=False).ok
        return pod, answers, seconds

    def test_without_rayfix_it_is_ready_before_the_gcs(self):
        server().off()
        self.addCleanup(server().on)
        _, answers, seconds = self.head_when_ready()
        record("readiness-probe", without={"ready after, s": seconds, "GCS answers then": answers})
        self.assertFalse(answers)

    def test_with_rayfix_it_is_ready_with_the_gcs(self):
        pod, answers, seconds = self.head_when_ready()
        self.assertIn("readiness-probe", applied(pod))
        self.assertTrue(answers)
        self.assertGreater(seconds, DELAY - 2)
        took, kilobytes = run_in(pod, "python3", "-c", COST).out.split()[-2:]
        record("readiness-probe", **{"with": {
            "ready after, s": seconds, "GCS answers then": answers,
            "one probe, s": round(float(took), 1),
            "one probe, MB": round(int(kilobytes) / 1000)}})
        kubectl("delete", "pod", "head", "-n", self.namespace, "--wait=false")
