"""tmp-ray-memory: what fills /tmp/ray fills the node's disk, or a tmpfs of a chosen size."""

import json

from bed.paths import NODE
from kube import Story, applied, get, kubectl, wait_until
from proof import record
from real import needs_ray
from real_pod import ray_pod, run_in, run_pod
from server import needs_the_bed, server

GPU = "nvidia.com/gpu"
LIMIT = "2Gi"
SIZE = 512 << 20  # a quarter of the limit
FILL = ["dd", "if=/dev/zero", "of=/tmp/ray/spilled", "bs=1M", "count=700"]


@needs_ray
@needs_the_bed
class TmpRay(Story):

    def setUp(self):
        super().setUp()
        # Documented for clusters without a device plugin: the kubelet runs such pods.
        kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", "-p",
                json.dumps({"status": {"capacity": {GPU: "1"}, "allocatable": {GPU: "1"}}}))

    def worker(self):
        pod = ray_pod(self.namespace, "worker", "worker", "sleep 600",
                      volumeMounts=[{"name": "log-volume", "mountPath": "/tmp/ray"}],
                      resources={"requests": {"cpu": "500m", "memory": LIMIT, GPU: "1"},
                                 "limits": {"cpu": "1", "memory": LIMIT, GPU: "1"}})
        pod["spec"]["volumes"] = [{"name": "log-volume", "emptyDir": {}}]
        pod["spec"]["terminationGracePeriodSeconds"] = 5
        return run_pod(pod)

    def file_system(self, pod):
        kind, size = run_in(pod, "stat", "-f", "-c", "%T %b %S", "/tmp/ray").out.split(" ", 1)
        blocks, block = size.split()
        return kind, int(blocks) * int(block)

    def test_without_rayfix_it_is_the_nodes_disk(self):
        server().off()
        self.addCleanup(server().on)
        pod = self.worker()
        kind, _ = self.file_system(pod)
        self.assertNotEqual(kind, "tmpfs")
        self.assertTrue(run_in(pod, *FILL).ok)
        record("tmp-ray-memory", without=f"700 MB written to the node's {kind}, no end in sight")

    def test_with_rayfix_it_is_a_tmpfs_with_an_end(self):
        pod = self.worker()
        self.assertIn("tmp-ray-memory", applied(pod))
        self.assertEqual(self.file_system(pod), ("tmpfs", SIZE))
        full = run_in(pod, *FILL, check=False)
        self.assertIn("No space left on device", full.err)
        usage = run_in(pod, "cat", "/sys/fs/cgroup/memory/memory.usage_in_bytes", check=False)
        if usage.ok:
            self.assertGreater(int(usage.out), SIZE, "tmpfs counts against the container")
        conditions = get("node", NODE, "default")["status"]["conditions"]
        self.assertEqual([each["status"] for each in conditions
                          if each["type"] in ("DiskPressure", "MemoryPressure")],
                         ["False", "False"])
        phase = wait_until("a phase", lambda: get("pod", "worker", self.namespace)["status"].get(
            "phase"))
        self.assertEqual(phase, "Running")
        record("tmp-ray-memory", **{"with": "tmpfs of 512 MiB (25 % of 2Gi), ENOSPC beyond it; "
                                            "pod and node go on"})
