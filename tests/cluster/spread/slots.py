"""How many clusters, and how many portions of stories, there are at the same time on this machine,
whoever started them.

Runs take turns, so that none has less of the machine than its time limits suppose. A slot is a
socket's name in the abstract namespace: no file stays, and it goes with who holds it."""

import contextlib
import socket
import time

# Each cluster takes 18 of the 128 inotify instances that Linux gives a user by default.
CLUSTERS = ("cluster", 5)
# Portions of stories, and clusters that come up.
WORK = ("work", 4)
NAME = "\0rayfix-bed-{}-{}"


class GivenUp(Exception):
    """Nobody wants the slot any more."""


def take(kind, number):
    """The socket that is the slot, or None while somebody else has it."""
    slot = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        slot.bind(NAME.format(kind, number))
        return slot
    except OSError:
        slot.close()
        return None


def wait_for(kind, numbers, is_over):
    """One of these slots; raises GivenUp when is_over() is true before."""
    while not is_over():
        for number in numbers:
            slot = take(kind, number)
            if slot:
                return slot
        time.sleep(0.5)
    raise GivenUp


@contextlib.contextmanager
def held(slots, is_over, count=1):
    """Holds so many slots of a kind. All who want some pass a gate, one at a time: two that each hold
    what the other waits for cannot be, and who waits for several is not passed by those that want
    one."""
    kind, there = slots
    with contextlib.ExitStack() as stack:
        with wait_for(f"{kind}-gate", [0], is_over):
            for _ in range(min(count, there)):
                stack.enter_context(wait_for(kind, range(there), is_over))
        yield
