#!/usr/bin/env python3
"""The bed comes up, two beside each other, and leaves nothing: after Ctrl-C, after the failure of
a component, after its starter was killed. Runs as root on the machine itself, not in a bed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bed import control, lifecycle, machine, tools
from bed.counting import count_line
from bed.errors import Failed, Missing
from bed.paths import BUILT, HERE, RUNS, Run
from bed.processes import LAST_LINES

# Where a component could leave files. Other folders change by other people's hands.
FOLDERS = ["/run", "/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log/pods",
           "/var/log/containers", "/etc/cni", "/etc/kubernetes", "/opt/cni", "/var/lib/kwok",
           os.path.expanduser("~/.kube"), os.path.expanduser("~/.kwok"), "/usr/libexec/kubernetes"]
# Other beds may be up meanwhile: what is theirs does not count.
NAME = f"test-{os.getpid()}"


def mounts():
    return {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}


def cgroups():
    return {str(path) for root in machine.cgroup_roots() for path in root.glob(f"rayfix-{NAME}*")}


def interfaces():
    return set(os.listdir("/sys/class/net"))


def processes():
    """Those of our beds: the components by their environment, the containers by their cgroup."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "environ").read_bytes() + (entry / "cgroup").read_bytes()
            if f"RAYFIX_BED={NAME}".encode() in text or f"/rayfix-{NAME}".encode() in text:
                found.add(f"{entry.name} {(entry / 'comm').read_text().strip()}")
        except OSError:
            pass
    return found


def files():
    return {os.path.join(folder, name) for top in FOLDERS
            for folder, _, names in os.walk(top) for name in names}


def tunables():
    return {name: (Path("/proc/sys") / name).read_text().strip()
            for name in machine.KERNEL_TUNABLES if (Path("/proc/sys") / name).exists()}


def runs():
    return {str(path) for pattern in ("data", "pki", "kubeconfig", "state.json")
            for path in RUNS.glob(f"{NAME}*/{pattern}")}


LOOKS = (mounts, cgroups, interfaces, processes, files, tunables, runs)


def look():
    return {each.__name__: each() for each in LOOKS}


class Up:
    """`cluster.py up` as a person starts it."""

    def __init__(self, name, **environment):
        self.lines = []
        self.child = subprocess.Popen(
            [sys.executable, str(HERE / "cluster.py"), "up", "--run", name, "--fake-nodes", "1"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**os.environ, **environment})

    def until_ready(self):
        for line in self.child.stdout:
            self.lines.append(line)
            if "Ctrl-C ends it" in line:
                return self
        raise AssertionError("did not come up:\n" + "".join(self.lines))

    def end(self, number=signal.SIGINT):
        self.child.send_signal(number)
        return self.collect()

    def give_up(self):
        """After a failed test."""
        if self.child.poll() is None:
            self.end()

    def collect(self):
        self.lines += self.child.stdout.readlines()
        self.child.stdout.close()
        return self.child.wait(timeout=60)


class LeavesNothing(unittest.TestCase):

    def setUp(self):
        self.before = look()

    def up(self, name, **environment):
        started = Up(name, **environment)
        self.addCleanup(started.give_up)
        return started

    def assertNothingLeft(self):
        deadline = time.monotonic() + 10
        while True:
            now = look()
            left = {what: sorted(now[what] - self.before[what]) for what in now
                    if isinstance(now[what], set) and now[what] - self.before[what]}
            if not left or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        self.assertEqual(left, {})
        self.assertEqual(now["tunables"], self.before["tunables"])

    def test_two_beside_each_other_and_ctrl_c(self):
        one, two = self.up(NAME + "a"), self.up(NAME + "b")
        one.until_ready(), two.until_ready()
        for run in ("a", "b"):
            shown = subprocess.run(
                [sys.executable, str(HERE / "cluster.py"), "shell", "--run", NAME + run,
                 "kubectl", "get", "nodes", "-o", "name"], capture_output=True, text=True)
            self.assertEqual(shown.stdout.split(), ["node/fake-0", "node/real"], shown.stderr)
        self.assertGreaterEqual(len(processes()), 20)
        self.assertGreater(len(cgroups()), 1)
        self.a_component_is_stopped_and_started(Run(NAME + "a"))
        self.assertEqual((one.end(), two.end()), (0, 0))
        self.assertNothingLeft()

    def a_component_is_stopped_and_started(self, run):
        """Which is no failure: the bed still ends with 0."""
        def schedulers():
            return {name for name in processes() if name.endswith(" kube-scheduler")}
        before = schedulers()
        control.stop(run, "kube-scheduler")
        self.assertEqual(len(schedulers()), len(before) - 1)
        control.start(run, "kube-scheduler")
        self.assertEqual(len(schedulers() - before), 1)

    def test_a_component_that_fails_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            for program in BUILT.iterdir():
                (Path(folder) / program.name).symlink_to(program)
            broken = Path(folder) / "kube-scheduler"
            broken.unlink()
            broken.write_text("#!/bin/sh\necho 'no schedule today' >&2\nexit 3\n")
            broken.chmod(0o755)
            up = self.up(NAME, RAYFIX_BED_BIN=folder)
            code = up.collect()
        text = "".join(up.lines)
        self.assertEqual(code, 1, text)
        self.assertIn("kube-scheduler ended (exit code 3)", text)
        self.assertIn("no schedule today", text)
        self.assertLess(len(up.lines), LAST_LINES + 20)
        self.assertNothingLeft()

    def test_a_killed_starter_takes_it_down_and_the_next_cleans_up(self):
        self.up(NAME).until_ready().end(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while processes() - self.before["processes"] and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(processes() - self.before["processes"], set())
        lifecycle.sweep()
        self.assertNothingLeft()

    def tearDown(self):
        for folder in RUNS.glob(f"{NAME}*"):
            if not (folder / "state.json").exists():
                shutil.rmtree(folder)


if __name__ == "__main__":
    try:
        machine.check()
        tools.build()
    except (Missing, Failed) as error:
        print(f"cluster: {error}", file=sys.stderr)
        sys.exit(error.exit_code() if isinstance(error, Missing) else 1)
    result = unittest.main(verbosity=2, exit=False).result
    print(count_line(result.testsRun, len(result.failures) + len(result.errors)), flush=True)
    sys.exit(not result.wasSuccessful())
