"""The two ways in which the bed gives up."""

import os


class Missing(Exception):
    """The machine lacks something: nothing was tried."""

    def exit_code(self):
        return 1 if os.environ.get("CI") else 77


class Failed(Exception):
    """Something did not work; the message says what, with the last lines of its log."""
