"""wait-gcs on a real kubelet: what the waiting costs, and how soon a waiting worker goes."""

import time
import unittest

from kube import Story, create, group, kubectl, wait_until
from proof import record
from real import (GONE_SOON, memory_peak, needs_ray, one_pod, real_cluster, running_container,
                  seconds_to_delete, wait_ready, without_head)
from server import needs_the_bed, server

# ray health-check at 200m of a CPU needs most of a minute for one try.
WATCHED_SECONDS = 60


@needs_ray
@needs_the_bed
class Waiting(Story):

    def waiting_worker(self):
        """A worker of KubeRay's whose head does not come, and the peak of its init container."""
        create(without_head(real_cluster("waiting", self.namespace, group("cpu", 1))))
        worker = one_pod(self.namespace, "worker")
        identity = running_container(worker, "wait-gcs-ready")
        time.sleep(WATCHED_SECONDS)
        return worker, memory_peak(identity) / 1e6

    def test_without_rayfix_it_costs_a_python(self):
        server().off()
        self.addCleanup(server().on)
        worker, peak = self.waiting_worker()
        seconds = seconds_to_delete(worker)
        record("wait-gcs", without={"cgroup peak MB": round(peak, 1),
                                    "deleting a waiting worker, s": seconds})
        self.assertGreater(peak, 30)
        self.assertGreater(seconds, 25)

    def test_with_rayfix_it_costs_nothing(self):
        worker, peak = self.waiting_worker()
        log = kubectl("logs", "-n", self.namespace, worker["metadata"]["name"], "-c",
                      "wait-gcs-ready").out
        seconds = seconds_to_delete(worker)
        record("wait-gcs", **{"with": {"cgroup peak MB": round(peak, 1),
                                       "deleting a waiting worker, s": seconds}})
        self.assertIn("Waiting for GCS to be ready at waiting-head-svc", log)
        self.assertLess(peak, 5)
        self.assertLess(seconds, GONE_SOON)

    def test_the_worker_joins_the_real_gcs(self):
        create(real_cluster("joins", self.namespace, group("cpu", 1)))
        wait_ready(self.namespace, 2)
        worker = one_pod(self.namespace, "worker")
        log = kubectl("logs", "-n", self.namespace, worker["metadata"]["name"], "-c",
                      "wait-gcs-ready").out
        self.assertRegex(log, r"GCS is ready at joins-head-svc\S+:6379 after \d+s\.")
        head = one_pod(self.namespace, "head")
        nodes = kubectl("exec", "-n", self.namespace, head["metadata"]["name"], "--", "python3",
                        "-c", "import ray; ray.init(logging_level='ERROR'); "
                        "print(sum(n['Alive'] for n in ray.nodes()))").out
        self.assertEqual(nodes.split()[-1], "2")
        record("wait-gcs", joined=log.strip().splitlines()[-1])


@needs_ray
@needs_the_bed
class Restricted(Story):

    def test_it_waits_under_the_restricted_profile(self):
        kubectl("label", "namespace", self.namespace,
                "pod-security.kubernetes.io/enforce=restricted")
        cluster = without_head(real_cluster("safe", self.namespace, group("cpu", 1)))
        profile = {"allowPrivilegeEscalation": False, "runAsNonRoot": True,
                   "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
        for template in (cluster["spec"]["headGroupSpec"]["template"],
                         cluster["spec"]["workerGroupSpecs"][0]["template"]):
            template["spec"]["containers"][0]["securityContext"] = dict(profile)
        create(cluster)
        worker = one_pod(self.namespace, "worker")
        running_container(worker, "wait-gcs-ready")
        name = worker["metadata"]["name"]
        wait_until("its first line", lambda: "Waiting for GCS" in kubectl(
            "logs", "-n", self.namespace, name, "-c", "wait-gcs-ready").out)
        self.assertLess(seconds_to_delete(worker), GONE_SOON)


if __name__ == "__main__":
    unittest.main()
