"""How many clusters, and how many portions of stories, there are at the same time on this machine,
whoever started them.

Runs take turns, so that none has less of the machine than its time limits suppose. A slot is a
socket's name in the abstract namespace: no file stays, and it goes with who holds it."""

import contextlib
import socket
import time

# Each cluster takes 18 of the 128 inotify instances that Linux gives a user by default.
CLUSTERS = ("cluster", 4)
# Portions of stories, and clusters that come up.
WORK = ("work", 3)
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
def held(slots, is_over, all_of_them=False):
    """Holds one slot of a kind, or all. All are taken in their order: two that want that cannot wait
    for each other."""
    kind, count = slots
    with contextlib.ExitStack() as stack:
        for wanted in [[number] for number in range(count)] if all_of_them else [range(count)]:
            stack.enter_context(wait_for(kind, wanted, is_over))
        yield
