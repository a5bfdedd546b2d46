"""wait-gcs on a real kubelet: what the waiting costs, and how soon a waiting worker goes."""

import time
import unittest

from kube import Story, create, group, kubectl, pods, wait_until
from proof import record
from real import (GONE_SOON, memory_peak, needs_ray, one_pod, real_cluster, running_container,
                  seconds_to_delete, wait_ready, without_head)
from server import needs_the_bed, server

# ray health-check at 200m of a CPU needs most of a minute for one try.
WATCHED_SECONDS = 60


@needs_ray
@needs_the_bed
class Waiting(Story):

    def waiting_worker(self, name):
        """A worker of KubeRay's whose head does not come, and the id of its init container."""
        create(without_head(real_cluster(name, self.namespace, group("cpu", 1))))
        [worker] = wait_until("the worker", lambda: pods(
            self.namespace, f"ray.io/cluster={name},ray.io/node-type=worker"))
        return worker, running_container(worker, "wait-gcs-ready")

    def test_without_rayfix_it_costs_a_python_and_with_it_nothing(self):
        """Both wait at the same time, as it takes a minute."""
        server().off()
        self.addCleanup(server().on)
        waiting = {"without": self.waiting_worker("old")}
        server().on()
        waiting["with"] = self.waiting_worker("new")
        time.sleep(WATCHED_SECONDS)
        peaks = {name: memory_peak(identity) / 1e6 for name, (_, identity) in waiting.items()}
        log = kubectl("logs", "-n", self.namespace, waiting["with"][0]["metadata"]["name"], "-c",
                      "wait-gcs-ready").out
        seconds = {name: seconds_to_delete(worker) for name, (worker, _) in waiting.items()}
        for name in waiting:
            record("wait-gcs", **{name: {"cgroup peak MB": round(peaks[name], 1),
                                         "deleting a waiting worker, s": seconds[name]}})
        self.assertGreater(peaks["without"], 30)
        self.assertGreater(seconds["without"], 25)
        self.assertIn("Waiting for GCS to be ready at new-head-svc", log)
        self.assertLess(peaks["with"], 5)
        self.assertLess(seconds["with"], GONE_SOON)

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
