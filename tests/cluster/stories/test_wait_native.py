"""wait-gcs in native mode: the small program of rayfix's own image, on a real kubelet."""

import os
import re
import time
import unittest
from pathlib import Path

from bed import machine
from configured import with_configuration
from installed import bring_image, image_name
from kube import Story, create, group, kubectl, wait_until
from proof import record
from real import (GONE_SOON, memory_peak, needs_ray, one_pod, real_cluster, running_container,
                  seconds_to_delete, wait_ready, without_head)
from server import needs_the_bed

RESTRICTED = {"allowPrivilegeEscalation": False, "runAsNonRoot": True,
              "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
WATCHED_SECONDS = 15  # some attempts; nothing grows later

def peaks_of(identity, seconds):
    """What a running container takes at most, in MB: its cgroup, and the largest of its processes.
    The cgroup's own peak will not do: runc, which starts the container inside of it, needs more."""
    root = machine.CGROUPS if machine.is_cgroup2() else machine.CGROUPS / "memory"
    [cgroup] = Path(root, f"rayfix-{os.environ['RAYFIX_BED']}").glob(f"**/{identity}")
    usage = cgroup / ("memory.current" if machine.is_cgroup2() else "memory.usage_in_bytes")
    whole, process = 0, 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        whole = max(whole, int(usage.read_text()))
        for pid in (cgroup / "cgroup.procs").read_text().split():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:  # the process of an attempt that is over
                continue
            process = max([process, *map(int, re.findall(r"VmHWM:\s+(\d+) kB", status))])
        time.sleep(0.05)
    return whole / 1e6, process * 1024 / 1e6


@needs_ray
@needs_the_bed
class Native(Story):
    """Under the restricted profile, which the image's own user and file system must satisfy."""

    def setUp(self):
        super().setUp()
        bring_image()
        kubectl("label", "namespace", self.namespace,
                "pod-security.kubernetes.io/enforce=restricted")
        with_configuration(self, mutators={"wait-gcs": {"check": "native", "image": image_name()}})

    def cluster(self, name):
        cluster = real_cluster(name, self.namespace, group("cpu", 1))
        for template in (cluster["spec"]["headGroupSpec"]["template"],
                         cluster["spec"]["workerGroupSpecs"][0]["template"]):
            template["spec"]["containers"][0]["securityContext"] = dict(RESTRICTED)
        return cluster

    def log(self, worker):
        return kubectl("logs", "-n", self.namespace, worker["metadata"]["name"], "-c",
                       "wait-gcs-ready").out

    def test_waiting_costs_less_than_a_megabyte(self):
        create(without_head(self.cluster("waiting")))
        worker = one_pod(self.namespace, "worker")
        identity = running_container(worker, "wait-gcs-ready")
        [wait] = [each for each in worker["spec"]["initContainers"]
                  if each["name"] == "wait-gcs-ready"]
        self.assertEqual((wait["image"], wait["command"]), (image_name(), ["/wait-gcs"]))
        wait_until("its first line", lambda: self.log(worker))
        cgroup, process = peaks_of(identity, WATCHED_SECONDS)
        self.assertRegex(self.log(worker), r"(?m)^\d+ seconds elapsed: Waiting for GCS to be ready "
                                           r"at waiting-head-svc\S+:6379 \([^)]+\)\.$")
        whole_peak = memory_peak(identity) / 1e6
        seconds = seconds_to_delete(worker)
        record("wait-gcs", native={"process peak MB": round(process, 2),
                                   "cgroup while waiting MB": round(cgroup, 2),
                                   "cgroup peak MB": round(whole_peak, 1),
                                   "deleting a waiting worker, s": seconds})
        self.assertLess(process, 1)
        self.assertLess(cgroup, 1)
        self.assertLess(seconds, GONE_SOON)

    def test_the_worker_joins_the_real_gcs(self):
        create(self.cluster("joins"))
        wait_ready(self.namespace, 2)
        log = self.log(one_pod(self.namespace, "worker"))
        self.assertRegex(log, r"GCS is ready at joins-head-svc\S+:6379 after \d+s\.")
        record("wait-gcs", native={"joined": log.strip().splitlines()[-1]})


if __name__ == "__main__":
    unittest.main()
