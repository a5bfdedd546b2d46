"""Objects that are asked for all the time, as dry runs; each answer is looked at."""

import http.client
import json
import re
import ssl
import threading
import time

from bed.paths import API_URL
from kube import kubectl

METRIC = re.compile(r"^apiserver_admission_webhook_(fail_open_count|request_total)\{(.*?)\} (\S+)$",
                    re.MULTILINE)
# A machine that stood still does not let its clients catch up with more than this.
BEHIND = 1.0


def seen_by_the_api_server():
    """(how often it called rayfix, how often it went on without), since it started."""
    found = {"request_total": 0.0, "fail_open_count": 0.0}
    for name, labels, count in METRIC.findall(kubectl("get", "--raw", "/metrics").out):
        if "rayfix.io" in labels:
            found[name] += float(count)
    return int(found["request_total"]), int(found["fail_open_count"])


def is_fixed(status, text):
    """What is wrong with the answer to a Ray pod, or None."""
    if status != 201:
        return f"{status}: {text[:300]}"
    return None if "rayfix.io/applied" in text else "not fixed"


def is_admitted(status, text):
    return None if status == 201 else f"{status}: {text[:300]}"


class Calls:
    """Use it in a with statement; afterwards `made`, `failed` and `fails_open` say how it went,
    `reviews` how often the API server called rayfix, and `a_second` how often in a second."""

    def __init__(self, run, path, thing, judge=is_fixed, a_second=40, threads=4):
        self.host = API_URL.partition("//")[2]
        self.context = ssl.create_default_context(cafile=str(run.pki / "ca.crt"))
        self.context.load_cert_chain(run.pki / "admin.crt", run.pki / "admin.key")
        self.path, self.body, self.judge = f"{path}?dryRun=All", json.dumps(thing), judge
        self.pause = threads / a_second
        self.made, self.failed, self.over = 0, [], threading.Event()
        self.failed_last = None  # on the monotonic clock
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(threads)]

    def ask(self, connection):
        connection.request("POST", self.path, self.body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return self.judge(answer.status, answer.read().decode())

    def note(self, problem):
        with self.lock:
            self.made += 1
            if problem:
                self.failed.append(problem)
                self.failed_last = time.monotonic()

    def work(self):
        connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=30)
        due = time.monotonic()
        while not self.over.is_set():
            try:
                problem = self.ask(connection)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
                connection.close()
            self.note(problem)
            # By the clock and not by the last answer, so that slow answers do not make fewer calls.
            due = max(due + self.pause, time.monotonic() - BEHIND)
            self.over.wait(max(0, due - time.monotonic()))
        connection.close()

    def __enter__(self):
        self.reviews, self.fails_open = seen_by_the_api_server()
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        seconds = time.monotonic() - self.began
        reviews, fails_open = seen_by_the_api_server()
        self.reviews, self.fails_open = reviews - self.reviews, fails_open - self.fails_open
        self.a_second = round(self.reviews / seconds)

    def figures(self):
        """For the record."""
        return {"creations asked for": self.made, "admission calls": self.reviews,
                "admission calls a second": self.a_second, "failed": len(self.failed),
                "failed open": self.fails_open}
