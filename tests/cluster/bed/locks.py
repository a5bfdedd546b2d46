"""What two runs in one build tree must not do at once."""

import contextlib
import fcntl


@contextlib.contextmanager
def held(path):
    """Holds the lock that the file is; waits for who has it. It goes with its holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
