#!/usr/bin/env python3
"""The preStop hooks of the rule prestop-drain (semantics §2 M4), with a fake `ray` and raylet."""

import shutil
import threading
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
  slow) [ "$(grep -c '^drain-node$' "$LOG")" -gt 1 ] || sleep 300; sleep 2 ;;
esac
"""

# A container: the raylet runs beside the hook. `raylet` is a copy of bash, which gives the process
# that name; the last line is what the kubelet sees.
CONTAINER = """
if [ -n "$RAYLET_SECONDS" ]; then
  "$FOLDER/raylet" -c 'trap "exit 0" TERM; sleep "$0" & wait "$!"' "$RAYLET_SECONDS" \
    $RAYLET_OPTION &
  raylet=$!
  until grep -qsx raylet "/proc/$raylet/comm"; do sleep 0.05; done
fi
if [ -n "$ZOMBIE" ]; then  # its parent never asks how it ended
  bash -c '"$FOLDER/raylet" -c "sleep 0.1; :" & exec sleep 300' &
  until grep -qs "(raylet) Z" /proc/[0-9]*/stat; do sleep 0.05; done
fi
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
    def __init__(self, status, seconds, calls):
        self.status, self.seconds, self.calls = status, seconds, calls


class Cases:
    """Mixed into one class for each form."""

    hook = None
    shell = None
    tries = 1  # that the CLI has

    @classmethod
    def setUpClass(cls):
        # Before there are threads: a child that another thread has just forked may still hold the
        # file open for writing, and then it cannot be run (ETXTBSY).
        folder = harness.Folder()
        cls.programs = folder.__enter__()
        cls.addClassCleanup(folder.__exit__)
        (cls.programs / "ray").write_text(FAKE_RAY)
        (cls.programs / "ray").chmod(0o755)
        shutil.copy(shutil.which("bash"), cls.programs / "raylet")
        super().setUpClass()

    def run_hook(
        self, ray="accept", raylet=None, option="", budget=LONG, address="", during=None,
        errors=None, ends=False, zombie=False
    ):
        """Runs the hook in a container whose raylet ends after `raylet` seconds (None: there is
        none) and calls during() once `ray` has been called. ends: returns when the raylet has.
        zombie: one has ended, and nobody has looked yet."""
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
                ZOMBIE="1" if zombie else "",
                SHELL_PROGRAM=self.shell,
                HOOK=harness.script(self.hook, BUDGET=budget),
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
            return Outcome(status, seconds, calls)

    def wait_for(self, log):
        deadline = time.monotonic() + harness.PATIENCE
        while not log.read_text().endswith(".\n"):
            self.assertLess(time.monotonic(), deadline, "ray was not called")
            time.sleep(0.02)

    def assert_drained(self, outcome, budget=LONG, node_id=None, tries=1):
        self.assertEqual(outcome.status, 0)
        self.assertEqual(outcome.calls, [drain_call(budget, node_id)] * tries)

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

    def case_no_raylet(self):
        outcome = self.run_hook()
        self.assert_drained(outcome)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_a_raylet_that_has_ended_is_not_waited_for(self):
        outcome = self.run_hook(zombie=True, budget=60)
        self.assert_drained(outcome, budget=60)
        self.assertLess(outcome.seconds, 30)

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
        self.assertLess(outcome.seconds, LONG / 2)

    def case_trap_21_cli_too_old(self):
        outcome = self.run_hook(ray="too-old", raylet=LONG)
        self.assertEqual(outcome.status, 0)
        self.assertEqual(outcome.calls, [drain_call(LONG), ["stop", "--grace-period=10"]])
        self.assertLess(outcome.seconds, LONG / 2)

    def case_trap_21_cli_hangs_and_ignores_sigterm(self):
        outcome = self.run_hook(ray="hang", raylet=LONG, errors="Killed")
        self.assert_drained(outcome, tries=self.tries)
        self.assertGreaterEqual(outcome.seconds, 7)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_no_ray_on_the_path(self):
        outcome = self.run_hook(ray=None, raylet=LONG, errors="No such file")
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


class WithBash(Cases, harness.ParallelTests):
    hook = "prestop_drain.sh"
    shell = "/bin/bash"
    tries = 2

    def case_the_cli_is_slow_on_a_busy_node(self):
        """It is tried again, and then work is waited for."""
        with Listener(harness.speak_settings) as gcs:
            outcome = self.run_hook(ray="slow", raylet=20, address=f"127.0.0.1:{gcs.port}",
                                    errors="Killed", ends=True)
        self.assert_drained(outcome, tries=2)
        self.assertGreaterEqual(outcome.seconds, 19)
        self.assertLess(outcome.seconds, LONG / 2)

    def case_the_gcs_goes_away_in_the_second_try(self):
        with Listener(harness.speak_settings) as gcs:
            timer = threading.Timer(10, lambda: gcs.behave(None))
            outcome = self.run_hook(
                ray="hang", raylet=LONG, address=f"127.0.0.1:{gcs.port}", errors="Killed",
                during=timer.start, ends=True)
        self.assert_drained(outcome, tries=2)
        self.assertLess(outcome.seconds, 26, "not the 28 s of both tries")

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
        with Listener(harness.speak_settings) as gcs:
            outcome = self.run_hook(
                ray="hang", raylet=LONG, address=f"127.0.0.1:{gcs.port}", errors="Killed",
                during=lambda: gcs.behave(None), ends=True
            )
        self.assert_drained(outcome)
        self.assertLess(outcome.seconds, LONG / 2)


class WithSh(Cases, harness.ParallelTests):
    hook = "prestop_drain_sh.sh"
    shell = "/bin/sh"


class Text(unittest.TestCase):
    def test_only_the_budget_is_filled_in(self):
        for name in ("prestop_drain.sh", "prestop_drain_sh.sh"):
            harness.script(name, BUDGET=45)

    def test_says_ray_stop(self):
        # The rule knows its own hook, and a user's, by these words.
        for name in ("prestop_drain.sh", "prestop_drain_sh.sh"):
            self.assertIn("ray stop", (harness.SCRIPTS / name).read_text(), name)


if __name__ == "__main__":
    if not harness.namespace():
        # Without one the hooks would end the machine's own raylets.
        harness.skip_program("no PID namespaces here: run as root, or allow unprivileged user"
                             " namespaces")
    unittest.main(verbosity=2)
