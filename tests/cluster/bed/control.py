"""What a story may ask of the bed's first process, whose children the components are: to stop some
and to start them again, to let all machines lose power, to exchange the operator. The first process
does it, one thing at a time; a component that ends by itself still ends the bed."""

import json
import signal
import time

from bed.errors import Failed


def write(path, content):
    """A reader sees all of it or nothing."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.rename(path)


class Control:
    """The side of the first process; `actions` says what each request does."""

    def __init__(self, run, actions):
        self.run, self.actions = run, actions
        self.done = None

    def follow(self):
        """Does what was asked for since the last time; what an action returns is the answer."""
        try:
            request = json.loads(self.run.request.read_text())
        except FileNotFoundError:
            return
        if request["asked"] != self.done:
            answer = self.actions[request["action"]](*request["arguments"])
            self.done = request["asked"]
            write(self.run.answer, {"asked": self.done, "answer": answer})


def ask(run, action, *arguments, seconds=120):
    """The side of a story: returns when it is done."""
    asked = time.monotonic()
    write(run.request, {"asked": asked, "action": action, "arguments": arguments})
    while True:
        try:
            done = json.loads(run.answer.read_text())
            if done["asked"] == asked:
                return done["answer"]
        except FileNotFoundError:
            pass
        if time.monotonic() > asked + seconds:
            raise Failed(f"the bed did not do this: {action} {arguments} (logs: {run.logs})")
        time.sleep(0.1)


def stop(run, *names, how=signal.SIGTERM):
    """Ends components, all at once."""
    ask(run, "stop", names, how)


def start(run, *names):
    """Starts those that do not run with their command lines of before, one after the other, each
    when the one before is ready."""
    ask(run, "start", names)


def lose_power(run):
    """All of the cluster's machines at once; what to start again, in this order."""
    return ask(run, "power")


def change_operator(run, version, name="kuberay-operator"):
    """Another version in the operator's place, with a log of that name; None: no operator."""
    ask(run, "operator", version, name)
