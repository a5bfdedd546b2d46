"""prestop-drain: a task that is never retried, on a worker that is evicted."""

import time

from kube import Story, create, group, kubectl, pods, wait_until
from proof import record
from real import VERSION, needs_ray, one_pod, python_in, real_cluster, wait_ready
from server import needs_the_bed, server
from test_budgets import evict

TASK_SECONDS = 25
TASK = f"""
import ray, time
ray.init(logging_level="ERROR")
@ray.remote(num_cpus=1, max_retries=0)
def work():
    time.sleep({TASK_SECONDS})
    return "finished"
task = work.remote()
time.sleep(8)
print("started")
try:
    print("task", ray.get(task))
except Exception as error:
    print("task lost:", type(error).__name__)
"""


@needs_ray
@needs_the_bed
class Drain(Story):

    def ready_cluster(self):
        cluster = real_cluster("drained", self.namespace, group("cpu", 1))
        cluster["spec"]["headGroupSpec"]["rayStartParams"] = {"num-cpus": "0"}
        create(cluster)
        wait_ready(self.namespace, 2)
        return one_pod(self.namespace, "head"), one_pod(self.namespace, "worker")

    def is_gone(self, pod):
        return not kubectl("get", "pod", pod["metadata"]["name"], "-n", self.namespace,
                           check=False).ok

    def evicted_task(self):
        """How the task ended, and after how many seconds the pod was gone."""
        head, worker = self.ready_cluster()
        driver = python_in(head, TASK)
        lines = []
        while "started" not in "".join(lines):
            line = driver.stdout.readline()
            self.assertTrue(line, "".join(lines))
            lines.append(line)
        self.assertTrue(evict(worker).ok)
        began = time.monotonic()
        wait_until("the worker gone", lambda: self.is_gone(worker), 90)
        seconds = round(time.monotonic() - began, 1)
        lines += driver.stdout.readlines()
        driver.stdout.close()
        driver.wait(timeout=60)
        return lines[-1].strip(), seconds

    def test_without_rayfix_the_task(self):
        server().off()
        self.addCleanup(server().on)
        how, seconds = self.evicted_task()
        record("prestop-drain", without={"task on an evicted worker": how,
                                         "its pod gone after, s": seconds})
        if VERSION == "2.46.0":
            self.assertIn("lost", how)

    def test_with_rayfix_it_finishes(self):
        how, seconds = self.evicted_task()
        record("prestop-drain", **{"with": {"task on an evicted worker": how,
                                            "its pod gone after, s": seconds}})
        self.assertEqual(how, "task finished")
        self.assertLess(seconds, TASK_SECONDS + 10)

    def test_an_idle_worker_goes_soon(self):
        _, worker = self.ready_cluster()
        self.assertTrue(evict(worker).ok)
        began = time.monotonic()
        wait_until("the worker gone", lambda: self.is_gone(worker), 90)
        seconds = round(time.monotonic() - began, 1)
        record("prestop-drain", **{"with": {"idle worker gone after, s": seconds}})
        self.assertLess(seconds, 8)

    def seconds_to_delete_all(self):
        self.ready_cluster()
        began = time.monotonic()
        kubectl("delete", "raycluster", "drained", "-n", self.namespace)
        wait_until("no pods", lambda: not pods(self.namespace), 90)
        return round(time.monotonic() - began, 1)

    def test_deleting_a_cluster_without_rayfix(self):
        server().off()
        self.addCleanup(server().on)
        record("prestop-drain", without={
            "deleted cluster gone after, s": self.seconds_to_delete_all()})

    def test_deleting_a_cluster_with_rayfix(self):
        seconds = self.seconds_to_delete_all()
        record("prestop-drain", **{"with": {"deleted cluster gone after, s": seconds}})
        self.assertLess(seconds, 20, "the hook does not wait for a GCS that is gone")
