"""An hour's worth of admission reviews, as fast as the replicas take them."""

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

REVIEWS = 720_000  # 200 a second
CONNECTIONS = 16  # to each replica
SECONDS = 10


def start(replica, listed):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", "-s",
               BENCH / "mixed.lua", f"https://{replica.address}:9443"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "REVIEWS": str(listed)})


def end(child):
    """(answered, failed)"""
    said = child.communicate()[0]
    found = re.search(r"^JSON (.*)$", said, re.MULTILINE)
    if not found:
        raise Failed(f"wrk: {said}")
    counts = json.loads(found.group(1))
    failed = sum(counts[kind] for kind in ("status", "connect", "read", "write", "timeout"))
    return counts["requests"], failed


def an_hour_of_calls(replicas, folder):
    """Until all replicas together have answered as many; (answered, failed). wrk ends by the clock
    only, so it runs for a few seconds again and again, with new connections each time."""
    listed = mixed.write(folder)
    answered = failed = 0
    while answered < REVIEWS and not failed:
        for child in [start(replica, listed) for replica in replicas]:
            more, bad = end(child)
            answered, failed = answered + more, failed + bad
    return answered, failed
