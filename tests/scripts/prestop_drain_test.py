#!/usr/bin/env python3
"""The preStop hooks of the rule prestop-drain (semantics §2 M4), with a fake `ray`, raylet and GCS."""

import shutil
import time
import unittest

import harness
from harness import Listener, Program

NODE_ID = "0123456789abcdef" * 3 + "01234567"

# What `ray drain-node` does, by name; `ray stop` always works.
FAKE_RAY = """#!/bin/sh
printf '%s\\n' "$@" >>"$LOG"
echo . >>"$LOG"
[ "$1" = stop ] && exit 0
case $FAKE_RAY in
  accept) exit 0 ;;
  refuse) exit 1 ;;
  too-old) exit 2 ;;
  hang) trap '' TERM; while :; do sleep 1; done ;;
  slow) sleep 2; exit 0 ;;
esac
"""

# The hook asks for the GCS under `timeout`. FLAKY: every other time in vain.
FAKE_TIMEOUT = f"""#!/bin/sh
[ -n "$FLAKY" ] && mkdir "$LOG.looked" 2>/dev/null && exit 1
rmdir "$LOG.looked" 2>/dev/null
exec {shutil.which("timeout")} "$@"
"""

# A container: the raylet runs beside the hook, in a head the GCS too. Both are copies of bash, which
# gives the processes their names; this is process 1. The last line is what the kubelet sees.
CONTAINER = """
trap 'echo interrupted' INT
ray_process() {
  "$FOLDER/$1" -c 'trap "sleep $ENDS_AFTER; echo $1 ended; exit 0" TERM
    [ -z "$DEAF" ] || trap "" TERM
    sleep "$0" & wait "$!"' "$2" "$1" $RAYLET_OPTION &
  pid=$!
  until grep -qsx "$1" "/proc/$pid/comm"; do sleep 0.05; done
}
if [ -n "$UNREAPED" ]; then
  (ray_process raylet "$RAYLET_SECONDS"; exec sleep 300) &
  until grep -qsx raylet /proc/[0-9]*/comm; do sleep 0.05; done
elif [ -n "$RAYLET_SECONDS" ]; then
  ray_process raylet "$RAYLET_SECONDS"
  raylet=$pid
fi
[ -z "$GCS_SECONDS" ] || ray_process gcs_server "$GCS_SECONDS"
$SHELL_PROGRAM -c "$HOOK"
status=$?
[ -z "$RAYLET_ENDS" ] || wait "$raylet"
echo "status $status"
"""

# Far longer than any case takes: a hook that ends before it did not use its budget.
LONG = 300


def drain_call(budget, node_id=None):
    call = ["drain-node"]
    call += ["--node-id", node_id] if node_id else []
    call += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "pod is terminating"]
    return call + ["--deadline-remaining-seconds", str(budget)]


class Outcome:
    def __init__(self, status, seconds, calls, lines):
        self.status, self.seconds, self.calls, self.lines = status, seconds, calls, lines


class Hook:
    """Runs one script in one shell; mixed into the classes below."""

    hook = None
    shell = None

    @classmethod
    def setUpClass(cls):
        # Before there are threads: a child that another thread has just forked may still hold the
        # file open for writing, and then it cannot be run (ETXTBSY).
        folder = harness.Folder()
        cls.programs = folder.__enter__()
        cls.addClassCleanup(folder.__exit__)
        for name, text in (("ray", FAKE_RAY), ("timeout", FAKE_TIMEOUT)):
            (cls.programs / name).write_text(text)
            (cls.programs / name).chmod(0o755)
        for name in ("raylet", "gcs_server"):
            shutil.copy(shutil.which("bash"), cls.programs / name)
        super().setUpClass()

    def run_hook(
        self, ray="accept", raylet=None, option="", budget=LONG, address="", during=None,
        errors=None, ends=False, gcs=None, ends_after=0, deaf=False, unreaped=False, half=20,
        flaky=False
    ):
        """Runs the hook in a container whose raylet ends after `raylet` seconds and its GCS after
        `gcs` (None: there is none), or `ends_after` seconds after SIGTERM, unless they are deaf;
        calls during() once `ray` has been called. ends: returns when the raylet has. unreaped:
        nobody asks how the raylet ended. flaky: every other look at the GCS fails."""
        with harness.Folder() as folder:
            log = folder / "log"
            log.write_text("")
            env = harness.environment(
                FOLDER=str(self.programs),
                LOG=str(log),
                FAKE_RAY=ray or "",
                RAYLET_SECONDS="" if raylet is None else str(raylet),
                RAYLET_OPTION=option,
                RAYLET_ENDS="1" if ends else "",
                GCS_SECONDS="" if gcs is None else str(gcs),
                ENDS_AFTER=str(ends_after),
                DEAF="1" if deaf else "",
                UNREAPED="1" if unreaped else "",
                FLAKY="1" if flaky else "",
                SHELL_PROGRAM=self.shell,
                HOOK=harness.script(self.hook, BUDGET=budget, HALF=half),
            )
            if ray is not None:
                env["PATH"] = f"{self.programs}:{env['PATH']}"
            if address is not None:
                env["RAY_ADDRESS"] = address
            since = time.monotonic()
            with Program(["/bin/bash", "-c", CONTAINER], env) as program:
                if during is not None:
                    self.wait_for(log)
                    during()
                status = int(program.wait_line(r"^status (\d+)$")[1])
                seconds = time.monotonic() - since
            calls = [call.splitlines() for call in log.read_text().split("\n.\n") if call]
            if errors is None:
                self.assertEqual(program.errors, [])
            else:
                self.assertRegex("\n".join(program.errors), errors)
            return Outcome(status, seconds, calls, program.lines[:-1])

    def wait_for(self, log):
        deadline = time.monotonic() + harness.PATIENCE
        while not log.read_text().endswith(".\n"):
            self.assertLess(time.monotonic(), deadline, "ray was not called")
            time.sleep(0.02)


class Drains(Hook):
    """What both forms of the worker's hook do."""

    def assert_drained(self, outcome, budget=LONG, node_id=None):
        self.assertEqual(outcome.status, 0)
        self.assertEqual(outcome.calls, [drain_call(budget, node_id)])

    def case_raylet_ends_early(self):
        with Listener(harness.speak_settings) as gcs:
            outcome = self.run_hook(raylet=3, address=f"127.0.0.1:{gcs.port}")
        self.assert_drained(outcome)
        self.assertGreaterEqual(outcome.seconds, 3)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_raylet_never_ends(self):
        with Listener(harness.speak_settings) as gcs:
            outcome = self.run_hook(raylet=LONG, address=f"127.0.0.1:{gcs.port}", budget=4,
                                    ends=True)
        self.assert_drained(outcome, budget=4)
        # date +%s has whole seconds only
        self.assertGreaterEqual(outcome.seconds, 3)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_raylet_ends_late(self):
        outcome = self.run_hook(raylet=25, budget=3, ends=True)
        self.assert_drained(outcome, budget=3)
        self.assertLess(outcome.seconds, 25)

    def case_raylet_ends_and_nobody_asks(self):
        outcome = self.run_hook(raylet=1, unreaped=True)
        self.assert_drained(outcome)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_process_1_is_interrupted(self):
        for raylet in (None, 1):
            self.assertIn("interrupted", self.run_hook(raylet=raylet).lines)

    def case_no_raylet(self):
        outcome = self.run_hook()
        self.assert_drained(outcome)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_node_id_as_ray_2_46_writes_it(self):
        outcome = self.run_hook(raylet=1, option=f"--node_id={NODE_ID}")
        self.assert_drained(outcome, node_id=NODE_ID)

    def case_node_id_as_ray_2_60_writes_it(self):
        outcome = self.run_hook(raylet=1, option=f"--x=1 --node-id={NODE_ID} --y=2")
        self.assert_drained(outcome, node_id=NODE_ID)

    def case_raylet_without_node_id(self):
        self.assert_drained(self.run_hook(raylet=1, option="--node_id=short"))

    def case_drain_refused(self):
        outcome = self.run_hook(ray="refuse", raylet=LONG)
        self.assert_drained(outcome)
        # What SIGTERM does is better than SIGINT: Ray 2.60 drains on it.
        self.assertNotIn("interrupted", outcome.lines)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_trap_21_cli_too_old(self):
        outcome = self.run_hook(ray="too-old", raylet=LONG)
        self.assertEqual(outcome.status, 0)
        self.assertEqual(outcome.calls, [drain_call(LONG), ["stop", "--grace-period=10"]])
        self.assertLess(outcome.seconds, LONG / 2)

    def case_trap_21_cli_hangs_and_ignores_sigterm(self):
        outcome = self.run_hook(ray="hang", raylet=LONG, errors="Killed")
        self.assert_drained(outcome)
        self.assertGreaterEqual(outcome.seconds, 7)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_no_ray_on_the_path(self):
        outcome = self.run_hook(ray=None, raylet=LONG, errors="No such file|not found")
        self.assertEqual((outcome.status, outcome.calls), (0, []))
        self.assertLess(outcome.seconds, LONG / 2)

    def case_no_ray_address(self):
        self.assert_drained(self.run_hook(raylet=2, address=None))

    def case_ray_address_without_port(self):
        for address in ("auto", "head", "head:", ":6379", "ray://head:10001"):
            self.assert_drained(self.run_hook(raylet=1, address=address))

    def case_ray_address_is_not_run(self):
        with harness.Folder() as folder:
            self.assert_drained(self.run_hook(address=f"$(touch {folder}/run):1"))
            self.assertEqual(list(folder.iterdir()), [])


class WithBash(Drains, harness.ParallelTests):
    hook = "prestop_drain.sh"
    shell = "/bin/bash"

    def case_trap_21_gcs_gone_before(self):
        with Listener(None) as gcs:
            outcome = self.run_hook(raylet=LONG, address=f"127.0.0.1:{gcs.port}", ends=True)
        self.assertEqual((outcome.status, outcome.calls), (0, []))
        self.assertLess(outcome.seconds, LONG / 2)

    def case_trap_21_gcs_goes_away(self):
        with Listener(harness.speak_settings) as gcs:
            outcome = self.run_hook(
                raylet=LONG, address=f"127.0.0.1:{gcs.port}", during=lambda: gcs.behave(None),
                ends=True
            )
        self.assert_drained(outcome)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_trap_21_gcs_goes_away_while_the_cli_hangs(self):
        gone = []
        with Listener(harness.speak_settings) as gcs:
            def go():
                gcs.behave(None)
                gone.append(time.monotonic())

            outcome = self.run_hook(
                ray="hang", raylet=LONG, address=f"127.0.0.1:{gcs.port}", errors="Killed",
                during=go
            )
        self.assert_drained(outcome)
        # Not only when the time of the CLI is over.
        self.assertLess(time.monotonic() - gone[0], 8)
        self.assertIn("raylet ended", outcome.lines)
        self.assertIn("interrupted", outcome.lines)

    def case_a_look_at_the_gcs_that_fails_ends_no_work(self):
        with Listener(harness.speak_settings) as gcs:
            outcome = self.run_hook(ray="slow", raylet=5, address=f"127.0.0.1:{gcs.port}", flaky=True)
        self.assert_drained(outcome)
        self.assertGreaterEqual(outcome.seconds, 4.9)
        self.assertNotIn("raylet ended", outcome.lines)

    def case_trap_21_gcs_stays_while_the_cli_starts(self):
        with Listener(harness.speak_settings) as gcs:
            outcome = self.run_hook(ray="slow", raylet=5, address=f"127.0.0.1:{gcs.port}")
        self.assert_drained(outcome)
        self.assertGreaterEqual(outcome.seconds, 4.9)
        self.assertNotIn("raylet ended", outcome.lines)


class WithSh(Drains, harness.ParallelTests):
    hook = "prestop_drain_sh.sh"
    shell = "/bin/sh"


class Stops(Hook):
    """What the head's hook does in both shells."""

    hook = "prestop_stop.sh"

    def case_the_raylet_before_process_1_and_the_gcs_is_left_to_it(self):
        outcome = self.run_hook(raylet=LONG, gcs=LONG, ends_after=1)
        self.assertEqual((outcome.status, outcome.calls), (0, []))
        self.assertEqual(outcome.lines, ["raylet ended", "interrupted"])
        self.assertGreaterEqual(outcome.seconds, 1)

    def case_only_a_raylet(self):
        outcome = self.run_hook(raylet=LONG)
        self.assertEqual((outcome.status, outcome.calls), (0, []))
        self.assertEqual(outcome.lines, ["raylet ended", "interrupted"])

    def case_nothing_runs(self):
        outcome = self.run_hook()
        self.assertEqual((outcome.status, outcome.calls), (0, []))
        self.assertEqual(outcome.lines, ["interrupted"])

    def case_what_does_not_end_is_left_to_ray_stop(self):
        outcome = self.run_hook(raylet=LONG, gcs=LONG, deaf=True, half=2)
        self.assertEqual((outcome.status, outcome.calls), (0, [["stop", "--grace-period=2"]]))
        self.assertEqual(outcome.lines, ["interrupted"])
        self.assertLess(outcome.seconds, LONG / 2)

    def case_raylet_ends_and_nobody_asks(self):
        outcome = self.run_hook(raylet=LONG, gcs=LONG, unreaped=True)
        self.assertEqual((outcome.status, outcome.calls), (0, []))
        self.assertEqual(outcome.lines, ["raylet ended", "interrupted"])

    def case_no_ray_on_the_path(self):
        outcome = self.run_hook(ray=None, raylet=LONG, gcs=LONG, deaf=True, half=2,
                                errors="not found")
        self.assertEqual((outcome.status, outcome.lines), (0, ["interrupted"]))


class StopsWithBash(Stops, harness.ParallelTests):
    shell = "/bin/bash"


class StopsWithSh(Stops, harness.ParallelTests):
    shell = "/bin/sh"


class Text(unittest.TestCase):
    def test_only_the_budget_is_filled_in(self):
        for name in ("prestop_drain.sh", "prestop_drain_sh.sh"):
            harness.script(name, BUDGET=45)
        harness.script("prestop_stop.sh", HALF=15)

    def test_says_ray_stop(self):
        # The rule knows its own hook, and a user's, by these words.
        for name in ("prestop_drain.sh", "prestop_drain_sh.sh", "prestop_stop.sh"):
            self.assertIn("ray stop", (harness.SCRIPTS / name).read_text(), name)


if __name__ == "__main__":
    if not harness.namespace():
        # Without one the hooks would end the machine's own raylets.
        harness.skip_program("no PID namespaces here: run as root, or allow unprivileged user"
                             " namespaces")
    unittest.main(verbosity=2)
