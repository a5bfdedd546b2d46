"""An hour's worth of admission reviews, as fast as a replica takes them."""

import json
import os
import re
import subprocess
import sys

from bed.errors import Failed
from kube import ROOT

BENCH = ROOT / "tests" / "bench"
sys.path.insert(0, str(BENCH))

import mixed  # noqa: E402

REVIEWS = 360_000  # half of 200 a second: the other half goes to the other replica
CONNECTIONS = 16
SECONDS = 10


def run(replica, listed):
    """(answered, failed)"""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", "-s",
               BENCH / "mixed.lua", f"https://{replica.address}:9443"]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "REVIEWS": str(listed)}).stdout
    found = re.search(r"^JSON (.*)$", said, re.MULTILINE)
    if not found:
        raise Failed(f"wrk: {said}")
    counts = json.loads(found.group(1))
    failed = sum(counts[kind] for kind in ("status", "connect", "read", "write", "timeout"))
    return counts["requests"], failed


def an_hour_of_calls(replica, folder):
    """Until the replica has answered as many; (answered, failed). wrk ends by the clock only, so it
    runs for a few seconds again and again, with new connections each time."""
    listed = mixed.write(folder)
    answered = failed = 0
    while answered < REVIEWS and not failed:
        more, failed = run(replica, listed)
        answered += more
    return answered, failed
