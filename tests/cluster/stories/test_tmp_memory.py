"""tmp-ray-memory: objects that Ray spills fill the node's disk, or a tmpfs of a chosen size."""

import json
import os
import subprocess
from pathlib import Path

from bed.paths import NODE, Run
from kube import Story, applied, get, kubectl, wait_until
from proof import record
from real import container_id, is_ready, memory_now, needs_ray
from real_pod import ray_pod, run_in, run_pod
from server import needs_the_bed, server

GPU = "nvidia.com/gpu"
LIMIT = "2Gi"
SIZE = 512 << 20  # a quarter of the limit
STORE = 100 << 20
RAY = (f"ray start --head --num-cpus=1 --object-store-memory={STORE} --include-dashboard=false"
       " && touch /tmp/started && exec sleep 600")
# 900 MB of objects that somebody holds, in a store of 100 MB.
SPILL = """
import json, os, time, ray
ray.init(address="auto", logging_level="ERROR", log_to_driver=False)
held, error = [], None
while len(held) < 45 and not error:
    try:
        held.append(ray.put(bytes(20_000_000)))
    except Exception as problem:
        error = type(problem).__name__
print("STORY", json.dumps({"put": len(held) * 20, "error": error}), flush=True)
os._exit(0)
"""


@needs_ray
@needs_the_bed
class TmpRay(Story):

    def setUp(self):
        super().setUp()
        # Documented for clusters without a device plugin: the kubelet runs such pods.
        kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", "-p",
                json.dumps({"status": {"capacity": {GPU: "1"}, "allocatable": {GPU: "1"}}}))

    def worker(self):
        pod = ray_pod(self.namespace, "worker", "worker", RAY,
                      volumeMounts=[{"name": "log-volume", "mountPath": "/tmp/ray"}],
                      resources={"requests": {"cpu": "500m", "memory": LIMIT, GPU: "1"},
                                 "limits": {"cpu": "2", "memory": LIMIT, GPU: "1"}})
        pod["spec"]["volumes"] = [
            {"name": "log-volume", "emptyDir": {}},
            {"name": "shared-mem", "emptyDir": {"medium": "Memory", "sizeLimit": LIMIT}}]
        # As KubeRay has it; in the 64 MB of a container's own Ray would take /tmp for its store.
        pod["spec"]["containers"][0]["volumeMounts"].append(
            {"name": "shared-mem", "mountPath": "/dev/shm"})
        pod["spec"]["terminationGracePeriodSeconds"] = 5
        pod = run_pod(pod)
        return pod

    def file_system(self, pod):
        kind, size = run_in(pod, "stat", "-f", "-c", "%T %b %S", "/tmp/ray").out.split(" ", 1)
        blocks, block = size.split()
        return kind, int(blocks) * int(block)

    def megabytes_on_disk(self, pod):
        """What the volume takes of the node's disk."""
        folder = Path(Run(os.environ["RAYFIX_BED"]).data, "kubelet", "pods", pod["metadata"]["uid"],
                      "volumes", "kubernetes.io~empty-dir", "log-volume")
        done = subprocess.run(["du", "-sxm", folder], capture_output=True, text=True)
        return int(done.stdout.split()[0])

    def spill(self, pod):
        """What Ray said to the objects, and the growth of the container's memory in MB."""
        identity = container_id(get("pod", "worker", self.namespace), "ray-worker")
        wait_until("Ray up", lambda: run_in(pod, "test", "-e", "/tmp/started", check=False).ok, 120)
        before = memory_now(identity, "shmem")
        out = run_in(pod, "python3", "-c", SPILL).out
        said = json.loads(out.rpartition("STORY ")[2])
        return said, (memory_now(identity, "shmem") - before) / 1e6

    def test_without_rayfix_it_is_the_nodes_disk(self):
        server().off()
        self.addCleanup(server().on)
        pod = self.worker()
        kind, _ = self.file_system(pod)
        self.assertNotEqual(kind, "tmpfs")
        said, memory = self.spill(pod)
        disk = self.megabytes_on_disk(pod)
        self.assertIsNone(said["error"])
        self.assertGreater(disk, 700)
        record("tmp-ray-memory", without={
            "objects put, MB": said["put"], "error": "none, and no end in sight",
            f"on the node's {kind}, MB": disk, "memory taken, MB": round(memory)})

    def test_with_rayfix_it_is_a_tmpfs_with_an_end(self):
        pod = self.worker()
        self.assertIn("tmp-ray-memory", applied(pod))
        self.assertEqual(self.file_system(pod), ("tmpfs", SIZE))
        said, memory = self.spill(pod)
        used = int(run_in(pod, "df", "--output=used", "-B1", "/tmp/ray").out.split()[-1])
        self.assertIsNotNone(said["error"])
        self.assertGreater(used, SIZE / 2)
        self.assertLessEqual(used, SIZE)
        self.assertGreater(memory, used / 1e6 / 2, "tmpfs counts against the container")
        conditions = get("node", NODE, "default")["status"]["conditions"]
        self.assertEqual([each["status"] for each in conditions
                          if each["type"] in ("DiskPressure", "MemoryPressure")],
                         ["False", "False"])
        now = get("pod", "worker", self.namespace)
        self.assertTrue(is_ready(now), now["status"])
        record("tmp-ray-memory", **{"with": {
            "objects put, MB": said["put"], "error": said["error"],
            "tmpfs, MB": f"{used / 1e6:.0f} of {SIZE / 1e6:.0f} used (25 % of {LIMIT})",
            "memory taken, MB": round(memory), "pod and node": "go on"}})
