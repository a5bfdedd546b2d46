#!/usr/bin/env python3
"""The waiting programs of the rule wait-gcs, in their shell and their Python form (semantics §3)."""

import contextlib
import os
import re
import signal
import time
import unittest

import harness
from harness import Listener, Program

READY = r"^GCS is ready at %s:%d after \d+s\.$"
WAITING = r"^\d+ seconds elapsed: Waiting for GCS to be ready at %s:%d \(%s\)\.$"


def injected(form, host, port, mode, timeout):
    """The container's command and args as the rule writes them."""
    values = {"HOST": host, "PORT": port, "MODE": mode, "TIMEOUT": timeout}
    if form == "shell":
        return ["/bin/bash", "-c", "--", harness.script("wait_gcs.sh", **values)]
    program = harness.script("wait_gcs.py")
    if form == "python":
        line = harness.script("wait_gcs_python.sh", PROGRAM=program, **values)
        return ["/bin/bash", "-c", "--", line]
    return ["python3", "-I", "-S", "-B", "-c", program, host, str(port), mode, str(timeout)]


class Hosts:
    """Names as the script sees them: a hosts file that can change, and no name server."""

    def __init__(self, folder):
        self.hosts = folder / "hosts"
        self.switch = folder / "nsswitch.conf"
        self.switch.write_text("hosts: files\n")
        self.write("")

    def write(self, text):
        self.hosts.write_text(text)  # in place: a bind mount stays with the file

    def wrap(self, argv):
        mount = (
            f"mount --bind {self.hosts} /etc/hosts && mount --bind {self.switch} /etc/nsswitch.conf"
            ' && exec "$@"'
        )
        return ["/bin/sh", "-c", mount, "sh"] + argv


class Cases:
    """Mixed into one class for each form."""

    form = None
    memory_limit = 0  # kB

    def start(self, port, host="127.0.0.1", mode="h2", timeout=0, hosts=None):
        argv = injected(self.form, host, port, mode, timeout)
        return Program(hosts.wrap(argv) if hosts else argv, harness.environment())

    def assert_ready(self, program, listener, host="127.0.0.1"):
        self.assertEqual(program.wait(), 0, program.errors)
        self.assertRegex(program.lines[-1], READY % (re.escape(host), listener.port))
        self.assertEqual(program.errors, [])

    def assert_keeps_waiting(self, behaviour, reason):
        """Waits for the reason, and goes on until the GCS speaks."""
        with Listener(behaviour) as listener, self.start(listener.port) as program:
            program.wait_line(WAITING % (re.escape("127.0.0.1"), listener.port, reason))
            self.assertIsNone(program.process.poll())
            listener.behave(harness.speak_settings)
            self.assert_ready(program, listener)

    def case_listener_that_speaks_settings(self):
        with Listener(harness.speak_settings) as listener, self.start(listener.port) as program:
            self.assert_ready(program, listener)
            self.assertEqual(len(program.lines), 1)

    def case_listener_that_refuses(self):
        self.assert_keeps_waiting(None, "Connection refused")

    def case_trap_49_listener_that_stays_silent(self):
        self.assert_keeps_waiting(harness.stay_silent, "no answer")

    def case_trap_49_listener_that_closes(self):
        self.assert_keeps_waiting(harness.close, "no answer")

    def case_listener_that_speaks_http(self):
        self.assert_keeps_waiting(harness.speak_http, "unexpected answer")

    def case_listener_that_speaks_http_and_waits(self):
        self.assert_keeps_waiting(harness.speak_http_and_wait, "unexpected answer")

    def case_tcp_mode_needs_no_word(self):
        with Listener(harness.stay_silent) as listener:
            with self.start(listener.port, mode="tcp") as program:
                self.assert_ready(program, listener)

    def case_tcp_mode_waits_while_refused(self):
        with Listener(None) as listener, self.start(listener.port, mode="tcp") as program:
            program.wait_line(r"\(Connection refused\)\.$")
            listener.behave(harness.stay_silent)
            self.assert_ready(program, listener)

    def case_gives_up(self):
        with Listener(None) as listener, self.start(listener.port, timeout=1) as program:
            self.assertEqual(program.wait(), 1)
            self.assertRegex(
                program.errors[-1],
                r"^Gave up on the GCS at 127\.0\.0\.1:\d+ after \d+s \(Connection refused\)\.$",
            )
            self.assertRegex(program.lines[0], WAITING % (".*", listener.port, "Connection refused"))

    def case_trap_51_name_comes_late_and_head_moves(self):
        if not harness.namespace():
            self.skipTest("needs a mount namespace")
        host = "head-svc.team-a.svc.cluster.local"
        with harness.Folder() as folder, contextlib.ExitStack() as stack:
            hosts = Hosts(folder)
            listener = stack.enter_context(Listener(harness.speak_settings, "127.0.0.3"))
            program = stack.enter_context(self.start(listener.port, host, hosts=hosts))
            program.wait_line(WAITING % (host, listener.port, "Name or service not known"))
            hosts.write(f"127.0.0.2 {host}\n")
            program.wait_line(WAITING % (host, listener.port, "Connection refused"))
            hosts.write(f"127.0.0.3 {host}\n")
            self.assert_ready(program, listener, host)

    def case_tries_every_address_of_a_name(self):
        if not harness.namespace():
            self.skipTest("needs a mount namespace")
        with harness.Folder() as folder, Listener(harness.speak_settings, "127.0.0.3") as listener:
            hosts = Hosts(folder)
            hosts.write("127.0.0.2 head\n127.0.0.3 head\n127.0.0.4 head\n")
            with self.start(listener.port, "head", hosts=hosts) as program:
                self.assert_ready(program, listener, "head")
                self.assertEqual(len(program.lines), 1)

    def signal_while(self, behaviour, number, status, before):
        with Listener(behaviour) as listener, self.start(listener.port) as program:
            before(listener, program)
            os.kill(program.first_process(), number)
            since = time.monotonic()
            self.assertIn(program.wait(), (status, -status))
            return time.monotonic() - since

    def case_trap_50_sigterm_between_attempts(self):
        # The third delay takes 4 s and more: a program that sleeps it out is found out.
        took = self.signal_while(
            None, signal.SIGTERM, 143, lambda _, program: program.wait_line("^[3-9] seconds")
        )
        self.assertLess(took, 3)

    def case_trap_50_sigterm_inside_an_attempt(self):
        took = self.signal_while(
            harness.stay_silent,
            signal.SIGTERM,
            143,
            lambda listener, _: self.assertTrue(listener.accepted.wait(harness.PATIENCE)),
        )
        self.assertLess(took, 7)

    def case_sigint(self):
        self.signal_while(
            None, signal.SIGINT, 130, lambda _, program: program.wait_line("seconds elapsed")
        )

    def case_peak_memory(self):
        with Listener(None) as listener, self.start(listener.port) as program:
            program.wait_line(r"Connection refused")
            listener.behave(harness.stay_silent)
            program.wait_line(r"no answer")
            listener.behave(harness.speak_settings)
            self.assert_ready(program, listener)
        ours = {name: kb for name, kb in program.peaks.items() if name != "unshare"}
        peaks = ", ".join(f"{name} {kb} kB" for name, kb in sorted(ours.items()))
        print(f"{self.form}: peak memory (VmHWM) {peaks}", flush=True)
        self.assertIn(self.process_name, "".join(ours))
        self.assertLessEqual(max(ours.values()), self.memory_limit, ours)


class ShellForm(Cases, harness.ParallelTests):
    form = "shell"
    process_name = "bash"
    memory_limit = 8 << 10


class PythonForm(Cases, harness.ParallelTests):
    form = "python"
    process_name = "python3"
    memory_limit = 16 << 10


class PythonWithoutBash(harness.ParallelTests):
    def run_with(self, *arguments):
        argv = ["python3", "-I", "-S", "-B", "-c", harness.script("wait_gcs.py"), *arguments]
        program = Program(argv, harness.environment())
        with program:
            return program.wait(), program.errors

    def case_ready(self):
        with Listener(harness.speak_settings) as listener:
            argv = injected("direct", "127.0.0.1", listener.port, "h2", 0)
            with Program(argv, harness.environment()) as program:
                self.assertEqual(program.wait(), 0)

    def case_mode_and_timeout_may_be_left_out(self):
        with Listener(harness.speak_settings) as listener:
            self.assertEqual(self.run_with("127.0.0.1", str(listener.port)), (0, []))

    def case_bad_arguments(self):
        usage = (2, ["usage: HOST PORT [h2|tcp [SECONDS]]"])
        for arguments in (
            [],
            ["head"],
            ["head", "port"],
            ["head", "0"],
            ["head", "65536"],
            ["", "6379"],
            ["head", "6379", "tls"],
            ["head", "6379", "h2", "-1"],
            ["head", "6379", "h2", "1", "more"],
        ):
            self.assertEqual(self.run_with(*arguments), usage, arguments)


class Text(unittest.TestCase):
    """What the scripts must not contain, as they are injected."""

    names = ("wait_gcs.sh", "wait_gcs.py", "wait_gcs_python.sh")

    def test_marker_is_first(self):
        for name in self.names:
            self.assertTrue(
                (harness.SCRIPTS / name).read_text().startswith("# rayfix.io gcs-wait/1\n"), name
            )

    def test_trap_9_does_not_look_like_kuberays(self):
        for name in self.names:
            self.assertNotIn("ray health-check", (harness.SCRIPTS / name).read_text(), name)

    def test_kubelet_expands_nothing(self):
        # k8s.io/kubernetes third_party/forked/golang/expansion: $(NAME) and $$ in command and args.
        for name in self.names:
            text = (harness.SCRIPTS / name).read_text()
            self.assertNotRegex(text, r"\$\$|\$\([A-Za-z_][A-Za-z0-9_.-]*\)", name)

    def test_python_stands_between_single_quotes(self):
        self.assertNotIn("'", (harness.SCRIPTS / "wait_gcs.py").read_text())

    def test_placeholders(self):
        wanted = {
            "wait_gcs.sh": {"@HOST@", "@PORT@", "@MODE@", "@TIMEOUT@"},
            "wait_gcs.py": set(),
            "wait_gcs_python.sh": {"@HOST@", "@PORT@", "@MODE@", "@TIMEOUT@", "@PROGRAM@"},
        }
        for name in self.names:
            found = re.findall("@[A-Z]+@", (harness.SCRIPTS / name).read_text())
            self.assertEqual(set(found), wanted[name], name)


if __name__ == "__main__":
    if not harness.namespace():
        print("no PID namespaces here (unshare --pid): the programs do not run as PID 1")
        if os.environ.get("CI"):
            harness.skip_program("run as root, or allow unprivileged user namespaces")
    unittest.main(verbosity=2)
