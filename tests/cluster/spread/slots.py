"""How many portions of stories run at the same time on this machine, whoever started them.

Two runs take turns, so that neither has less of the machine than its time limits suppose. A slot is
a socket's name in the abstract namespace: no file stays, and it goes with who holds it."""

import contextlib
import socket
import time

COUNT = 3
NAME = "\0rayfix-bed-slot-{}"


class GivenUp(Exception):
    """Nobody wants the slot any more."""


def take(number):
    """The socket that is the slot, or None while somebody else has it."""
    slot = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        slot.bind(NAME.format(number))
        return slot
    except OSError:
        slot.close()
        return None


def wait_for(numbers, over):
    """One of these slots; raises GivenUp when `over` is set before."""
    while not over.is_set():
        for number in numbers:
            slot = take(number)
            if slot:
                return slot
        time.sleep(0.5)
    raise GivenUp


@contextlib.contextmanager
def held(alone, over):
    """Holds one slot, or all of them. All are taken in their order: two that want that cannot wait
    for each other."""
    with contextlib.ExitStack() as stack:
        if alone:
            for number in range(COUNT):
                stack.enter_context(wait_for([number], over))
        else:
            stack.enter_context(wait_for(range(COUNT), over))
        yield
