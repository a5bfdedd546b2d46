"""Brings a bed up in namespaces of its own and takes everything down again."""

import ctypes
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bed import components, credentials, images, locks, machine, network, power, rayfix, tools
from bed.control import Control
from bed.errors import Failed, Missing
from bed.paths import HERE, RUNS, Run
from bed.processes import Processes

READY = "the cluster is ready"
PR_SET_PDEATHSIG = 1
# Looked up before anything forks: between fork and exec a thread's child must not take locks.
prctl = ctypes.CDLL(None).prctl


def die_with_parent():
    """A bed whose starter was killed must not stay."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_alive(pid):
    return pid is not None and Path(f"/proc/{pid}").exists()


def states():
    """(name, state) of every run; another program may take one down meanwhile."""
    for state in RUNS.glob("*/state.json"):
        try:
            yield state.parent.name, json.loads(state.read_text())
        except FileNotFoundError:
            pass


def running():
    """The runs that are up, newest last."""
    found = []
    for name, state in states():
        if is_alive(state.get("pid")) and is_alive(state.get("starter")):
            found.append((state["started"], name, state["pid"]))
    return [(name, pid) for _, name, pid in sorted(found)]


def clean(run):
    """Removes what a run that has ended left on the machine; its logs stay."""
    machine.remove_cgroup(run.cgroup)
    for folder in (run.data, run.pki):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (run.state, run.kubeconfig):
        file.unlink(missing_ok=True)


def sweep():
    """Cleans up after runs whose starter was killed."""
    with locks.held(RUNS / ".lock"):
        for name, state in list(states()):
            if not is_alive(state.get("starter")):
                clean(Run(name))


class Bed:
    """One cluster, seen from outside of it."""

    def __init__(self, fake_nodes=0, rayfix_program=None, name=None):
        self.run = Run(name or secrets.token_hex(3))
        self.fake_nodes = fake_nodes
        self.rayfix_program = rayfix_program
        self.child = None
        self.pid = None
        self.owned = False

    def start(self, show):
        """Returns when the cluster is ready; raises Failed, with everything taken down, else."""
        machine.check()
        tools.build()
        images.make_pause()
        sweep()
        if self.run.state.exists():
            raise Failed(f"a cluster {self.run.name} is up already")
        self.run.make()
        self.owned = True
        self.note()
        machine.make_cgroup(self.run.cgroup)
        credentials.make(self.run)
        command = ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork",
                   "--kill-child", "--mount-proc", sys.executable, str(HERE / "cluster.py"),
                   "inside", "--run", self.run.name, "--fake-nodes", str(self.fake_nodes)]
        if self.rayfix_program:
            command += ["--rayfix", str(Path(self.rayfix_program).resolve())]
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      text=True, start_new_session=True, preexec_fn=die_with_parent)
        for line in self.child.stdout:
            if line.strip() == READY:
                return
            if self.pid is None:
                self.pid = self.first_process()
                self.note()
            show(line.rstrip())
        raise Failed(f"the bed did not come up (logs: {self.run.logs})")

    def first_process(self):
        """The machine's number for the bed's process 1."""
        task = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
        return int(task.read_text().split()[0])

    def note(self):
        new = self.run.state.with_suffix(".new")
        new.write_text(json.dumps(
            {"starter": os.getpid(), "pid": self.pid, "started": time.time()}))
        new.rename(self.run.state)

    def enter(self):
        """The start of a command line that runs something inside."""
        return enter(self.pid)

    def wait(self):
        """Stays until the bed ends by itself; its exit code."""
        return self.child.wait()

    def stop(self):
        """Takes everything down; safe to call at any time and twice."""
        if self.child and self.child.poll() is None:
            if is_alive(self.pid):
                os.kill(self.pid, signal.SIGTERM)
            try:
                self.child.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        if self.child:
            self.child.stdout.close()
        if self.owned:
            clean(self.run)


def enter(pid):
    return ["nsenter", "--target", str(pid), "--net", "--mount", "--pid", "--ipc", "--uts"]


def control(run, processes, operator):
    """What a story may ask for."""
    def start(names):
        for name in names:
            processes.start_again(name)
    return Control(run, {
        "stop": lambda names, how: processes.stop(*names, how=how),
        "start": start,
        "power": lambda: power.lose(run, processes),
        "operator": operator.change,
    })


def inside(run, fake_nodes, program):
    """Process 1 of the namespaces."""
    stopping = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.append(True))
    began = time.monotonic()

    def say(what):
        print(f"{time.monotonic() - began:5.1f} s  {what}", flush=True)
        if stopping:
            raise KeyboardInterrupt

    processes = Processes(run)
    try:
        say("namespaces")
        machine.cover_file_system(run)
        network.bring_up()
        operator = components.start_all(run, processes, fake_nodes, say)
        if program:
            rayfix.issue(run, program)
            rayfix.add_service(run)
            processes.start("rayfix", rayfix.command(run, program))
            processes.wait_for("rayfix", rayfix.is_ready, 10)
            rayfix.register(run)
            say("rayfix, its webhooks registered")
        requests = control(run, processes, operator)
        print(READY, flush=True)
        while not stopping:
            processes.check()
            requests.follow()
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    except (Failed, Missing) as error:
        print(f"cluster: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        processes.stop_all()
    return 0
