"""The border between the bed and the machine: what must be there, namespaces, mounts, cgroups."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from bed.errors import Failed, Missing

CGROUPS = Path("/sys/fs/cgroup")
CGROUP_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids",
                      "systemd", "unified", "hugetlb", "net_cls", "perf_event")
NEEDED = {
    "unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "nft": "nftables",
    "containerd": "containerd", "ctr": "containerd", "runc": "runc", "openssl": "openssl",
    "gcc": "gcc",
}
CNI_PLUGINS = Path("/usr/lib/cni")

# What the kubelet would set for the whole machine, as no namespace holds these: it finds its
# values in files of ours instead and leaves them alone (pkg/kubelet/cm, setupKernelTunables).
KERNEL_TUNABLES = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# Programs write to fixed paths below these (/var/log/containers, /var/lib/kubelet/device-plugins,
# /etc/cni, ...): inside the bed they are copy-on-write, and what is written goes with the run.
COPY_ON_WRITE = ("/var", "/etc", "/opt")


def check():
    """Raises Missing with one line if the bed cannot run here."""
    if os.geteuid() != 0:
        raise Missing("the test bed needs root (for namespaces, mounts and cgroups)")
    for program, package in NEEDED.items():
        if not shutil.which(program):
            raise Missing(f"{program} is missing: install the package {package} "
                          "(tests/cluster/deps does it)")
    if not (CNI_PLUGINS / "bridge").exists():
        raise Missing(f"{CNI_PLUGINS}/bridge is missing: install containernetworking-plugins")
    if not cgroup_roots():
        raise Missing("no writable cgroups below /sys/fs/cgroup")
    done = subprocess.run(["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork",
                           "--mount-proc", "true"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"namespaces cannot be made here: {done.stderr.strip()}")


def is_cgroup2():
    return (CGROUPS / "cgroup.controllers").exists()


def cgroup_roots():
    """The hierarchies in which a kubelet makes cgroups."""
    if is_cgroup2():
        return [CGROUPS] if os.access(CGROUPS, os.W_OK) else []
    roots = [CGROUPS / name for name in CGROUP_CONTROLLERS]
    return [root for root in roots if (root / "cgroup.procs").exists() and os.access(root, os.W_OK)]


def make_cgroup(name):
    """One cgroup per run in every hierarchy: the kubelet's root, removed as a whole at the end."""
    for root in cgroup_roots():
        folder = root / name
        folder.mkdir(exist_ok=True)
        if root.name == "cpuset":  # children of the root start without any CPU
            for file in ("cpuset.cpus", "cpuset.mems"):
                (folder / file).write_text((root / file).read_text())
        if is_cgroup2():
            controllers = (root / "cgroup.controllers").read_text().split()
            enabled = " ".join(f"+{controller}" for controller in controllers)
            for place in (root, folder):
                (place / "cgroup.subtree_control").write_text(enabled)


def remove_cgroup(name):
    """Removes the run's cgroups; their processes are gone, but the kernel may need a moment."""
    deadline = time.monotonic() + 10
    while True:
        left = [root / name for root in cgroup_roots() if (root / name).exists()]
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
        left = [str(top) for top in left if top.exists()]
        if not left:
            return
        if time.monotonic() > deadline:
            raise Failed(f"cgroups are left: {', '.join(left)}")
        time.sleep(0.2)


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"mount {' '.join(map(str, arguments))}: {done.stderr.strip()}")


def cover_file_system(run):
    """Inside the mount namespace: nothing that a component writes reaches the machine's folders."""
    build = run.folder.resolve()
    keep = run.data / "keep"
    keep.mkdir(parents=True)
    for folder in COPY_ON_WRITE:
        if not os.path.isdir(folder) or str(build).startswith(folder + "/"):
            continue
        name = folder.strip("/").replace("/", "-")
        upper, work = keep / f"{name}-upper", keep / f"{name}-work"
        upper.mkdir()
        work.mkdir()
        layers = f"lowerdir={folder},upperdir={upper},workdir={work}"
        mount("-t", "overlay", "overlay", "-o", layers, folder)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for name, value in KERNEL_TUNABLES.items():
        target = Path("/proc/sys") / name
        if target.exists():
            file = keep / name.replace("/", ".")
            file.write_text(value + "\n")
            mount("--bind", file, target)
    (run.data / "tmp").mkdir(exist_ok=True)


def containers_snapshotter(folder):
    """An overlay cannot lie on an overlay, so a checkout on one (in a container) needs copies."""
    done = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True)
    return "native" if "overlay" in done.stdout else "overlayfs"
