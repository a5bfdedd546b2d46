"""The cluster's machines lose power: no process, mount, cgroup or firewall rule is left, and of the
files those that are on disk. The bed's own processes and the stories are no part of it."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bed import machine
from bed.errors import Failed


def of_containers(run):
    """Those that containerd has started, and those in containers."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (
                    (entry / "comm").read_text().startswith("containerd-shim")
                    or f"/{run.cgroup}/" in (entry / "cgroup").read_text()):
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended
    return found


def kill_containers(run, processes):
    deadline = time.monotonic() + 20
    while True:
        left = of_containers(run)
        if not left:
            return
        if time.monotonic() > deadline:
            raise Failed(f"processes of containers do not end: {left}")
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        processes.reap()
        time.sleep(0.05)


def forget_mounts(run):
    """Root file systems, network namespaces, volumes."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    for target in reversed([line.split()[4] for line in lines]):
        if target.startswith(("/run/", f"{run.data}/kubelet/")):
            subprocess.run(["umount", "--lazy", target], capture_output=True)
    for path in Path("/run").iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def lose(run, processes):
    """Returns the names of the components that ran, in the order in which they start."""
    running = set(processes.names.values())
    names = [name for name in processes.commands if name in running]
    processes.stop(*names, how=signal.SIGKILL)
    kill_containers(run, processes)
    forget_mounts(run)
    machine.remove_cgroup(run.cgroup)
    machine.make_cgroup(run.cgroup)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    return names
