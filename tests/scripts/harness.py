"""What the tests of the injected scripts share.

The scripts are written for a container: their shell is PID 1, and /proc shows the processes of the
container only. Where the machine allows it they run so, in a PID and a mount namespace.
"""

import concurrent.futures
import functools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SCRIPTS = pathlib.Path(os.environ.get("BUILD_DIR", "build/dev")) / "scripts"

# Long enough for a machine under load; no test waits so long when all is well.
PATIENCE = 60


def skip_program(message):
    """Ends the test program: a skip on a person's machine, a failure in CI."""
    print(message)
    sys.exit(1 if os.environ.get("CI") else 77)


def script(name, **values):
    """The script as it is injected, with @NAME@ replaced by values['NAME']."""
    text = (SCRIPTS / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    left = re.search("@[A-Z]+@", text)
    assert left is None, f"{name}: {left} was not filled in"
    return text


@functools.cache
def namespace():
    """The command that starts a program as PID 1 of new namespaces; None where that is forbidden."""
    new = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--mount-proc"]
    for command in (new, new + ["--user", "--map-root-user"]):
        try:
            if subprocess.run(command + ["true"], capture_output=True, timeout=PATIENCE).returncode == 0:
                return command
        except (OSError, subprocess.TimeoutExpired):
            pass
    return None


def environment(**more):
    """A small environment whose python3 is the one that runs the tests, not a wrapper script."""
    python = os.path.dirname(os.path.realpath(sys.executable))
    return {"PATH": f"{python}:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", **more}


class ParallelTests(unittest.TestCase):
    """Runs all methods `case_*` of a class at once and reports each as a test of its own: they
    spend their time waiting."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in dir(cls):
            if name.startswith("case_"):
                setattr(cls, "test_" + name[5:], cls._result_of(name))

    @staticmethod
    def _result_of(name):
        def test(self):
            self.futures[name].result()

        test.__name__ = "test_" + name[5:]
        return test

    @classmethod
    def setUpClass(cls):
        names = [name for name in dir(cls) if name.startswith("case_")]
        workers = len(names) if names and namespace() else 1
        cls.pool = concurrent.futures.ThreadPoolExecutor(max_workers=workers)
        cls.futures = {name: cls.pool.submit(getattr(cls(), name)) for name in names}

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown()

    def runTest(self):  # lets setUpClass make instances that are no tests themselves
        pass


# What a listener does with a connection; the first bytes of a real GCS, cluster.md of Ray 2.46.
SETTINGS = bytes.fromhex("000018040000000000000400400000000500400000000600004000fe0300000001")


def speak_settings(connection):
    connection.sendall(SETTINGS)
    connection.recv(1)


def speak_http(connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def speak_http_and_wait(connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.recv(1)


def stay_silent(connection):
    connection.recv(1)


def close(_):
    pass


class Listener:
    """A TCP server on loopback. `behaviour` may change at any time; None refuses connections."""

    def __init__(self, behaviour, address="127.0.0.1"):
        self.accepted = threading.Event()
        self.address = address
        # Bound all the time, so that nobody else gets the port while it refuses.
        self.holder = socket.socket()
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.holder.bind((address, 0))
        self.port = self.holder.getsockname()[1]
        self.server = None
        self.behave(behaviour)

    def behave(self, behaviour):
        self.behaviour = behaviour
        if behaviour is None:
            self.stop()
        elif self.server is None:
            self.server = socket.socket()
            self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.server.bind((self.address, self.port))
            self.server.listen(16)
            threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()

    def stop(self):
        if self.server is not None:
            self.server.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self.server.close()
            self.server = None

    def _accept(self, server):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self.accepted.set()
        with connection:
            try:
                (self.behaviour or close)(connection)  # it may refuse since accept()
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.holder.close()


class Folder:
    """A temporary folder as a pathlib.Path."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="rayfix-scripts-"))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def descendants(pid):
    """The process ids below `pid`."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            children = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            for child in map(int, children):
                found += [child] + descendants(child)
    except OSError:
        pass
    return found


class Program:
    """A program in namespaces of its own: its lines as they come, its status, its peak memory."""

    def __init__(self, argv, env, namespaces=None):
        self.in_namespace = namespace() if namespaces is None else namespaces
        self.process = subprocess.Popen(
            (self.in_namespace or []) + argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self.errors = []
        self.changed = threading.Condition()
        self.peaks = {}  # comm: kB
        self.threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors)),
            threading.Thread(target=self._sample),
        ]
        for thread in self.threads:
            thread.start()

    def _read(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def _sample(self):
        while self.process.poll() is None:
            for pid in descendants(self.process.pid) + ([] if self.in_namespace else [self.process.pid]):
                self._sample_process(pid)
            time.sleep(0.02)

    def _sample_process(self, pid):
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        name = re.search(r"^Name:\s*(.*)$", status, re.M)
        peak = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.M)
        if name and peak:
            self.peaks[name[1]] = max(self.peaks.get(name[1], 0), int(peak[1]))

    def wait_line(self, pattern):
        """The first line of standard output that matches, as a match."""
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                for line in self.lines:
                    match = re.search(pattern, line)
                    if match:
                        return match
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"no line {pattern!r} in {self.lines} {self.errors}")
                self.changed.wait(left)

    def first_process(self):
        """The process id, seen from here, of the program itself."""
        if not self.in_namespace:
            return self.process.pid
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = descendants(self.process.pid)
            if found:
                return found[0]
            time.sleep(0.01)
        raise AssertionError("the program did not start")

    def end(self):
        """Kills what is left. Without a namespace a program may leave children, and they hold its
        output open."""
        try:
            os.killpg(self.process.pid, 9)
        except ProcessLookupError:
            pass

    def wait(self):
        """The exit status, when all output has been read."""
        status = self.process.wait(PATIENCE)
        if not self.in_namespace:
            self.end()
        for thread in self.threads:
            thread.join()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end()
        self.wait()
        self.process.stdout.close()
        self.process.stderr.close()
