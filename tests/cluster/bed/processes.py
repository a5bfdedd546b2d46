"""Starts the components, keeps their logs, and says what is wrong with one that ends."""

import os
import signal
import subprocess
import time

from bed.errors import Failed

LAST_LINES = 15


def last_lines(path):
    lines = path.read_text(errors="replace").splitlines()[-LAST_LINES:]
    return "\n".join(f"  {line[:400]}" for line in lines) + f"\n  (all of it: {path})"


class Processes:
    """The children of the bed's first process, which reaps every process of the namespace."""

    def __init__(self, run):
        self.run = run
        self.names = {}  # of those that run, by number
        self.exits = {}
        self.commands = {}  # of all that ever ran, in the order in which they first started
        self.tests = {}  # how it is seen that one is ready, and for how long to wait

    def start(self, name, command, environment=None):
        """Starts a component; its output goes to logs/NAME.log."""
        with open(self.run.logs / f"{name}.log", "ab") as log:
            log.write(("$ " + " ".join(map(str, command)) + "\n").encode())
            log.flush()
            child = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log, env=environment or self.run.environment())
        child.returncode = 0  # reaped below, and not by subprocess
        self.names[child.pid] = name
        self.commands[name] = (command, environment)
        return child.pid

    def start_again(self, name):
        """With the same command line, unless it runs; returns when it is ready."""
        if name in self.names.values():
            return
        self.start(name, *self.commands[name])
        if name in self.tests:
            self.wait_for(name, *self.tests[name])

    def stop(self, *names, how=signal.SIGTERM, seconds=10):
        """Ends components, all at once; that is no failure."""
        pids = [pid for pid, known in self.names.items() if known in names]
        if len(pids) < len(names):
            raise Failed(f"of {', '.join(names)} some do not run")
        for pid in pids:
            os.kill(pid, how)
        deadline = time.monotonic() + seconds
        while any(pid in self.names for pid in pids):
            if time.monotonic() > deadline:
                for pid in set(pids) & set(self.names):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
            time.sleep(0.05)
        for name in names:
            self.exits.pop(name, None)

    def reap(self):
        """Collects ended processes, also orphans that were handed to us as process 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.names:
                self.exits[self.names.pop(pid)] = os.waitstatus_to_exitcode(status)

    def check(self):
        """Fails if a component has ended."""
        self.reap()
        for name, code in self.exits.items():
            how = f"exit code {code}" if code >= 0 else f"signal {-code}"
            raise Failed(f"{name} ended ({how}); its last lines:\n{self.last_lines(name)}")

    def last_lines(self, name):
        return last_lines(self.run.logs / f"{name}.log")

    def wait_for(self, name, ready, seconds):
        """Waits until ready() is true, also when it is started again; `name` is the component to
        blame."""
        self.tests[name] = (ready, seconds)
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise Failed(f"{name} is not ready after {seconds} s; its last lines:\n"
                             f"{self.last_lines(name)}")
            time.sleep(0.1)

    def stop_all(self):
        """SIGTERM to the components, last started first; what is left dies with the namespace."""
        for pid in reversed(list(self.names)):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + 3
        while self.names and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.05)
