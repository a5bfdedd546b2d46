"""Objects that are asked for all the time, as dry runs; each answer is looked at."""

import http.client
import json
import re
import ssl
import threading
import time

from bed.paths import API_URL
from kube import kubectl

FAIL_OPEN = re.compile(r"^apiserver_admission_webhook_fail_open_count\{(.*?)\} (\S+)$",
                       re.MULTILINE)


def fails_open():
    """How often the API server has gone on without rayfix, since it started."""
    metrics = kubectl("get", "--raw", "/metrics").out
    return int(sum(float(count) for labels, count in FAIL_OPEN.findall(metrics)
                   if "rayfix.io" in labels))


def is_fixed(status, text):
    """What is wrong with the answer to a Ray pod, or None."""
    if status != 201:
        return f"{status}: {text[:300]}"
    return None if "rayfix.io/applied" in text else "not fixed"


def is_admitted(status, text):
    return None if status == 201 else f"{status}: {text[:300]}"


class Calls:
    """Use it in a with statement; afterwards `made`, `failed` and `fails_open` say how it went."""

    def __init__(self, run, path, thing, judge=is_fixed, a_second=40, threads=4):
        self.host = API_URL.partition("//")[2]
        self.context = ssl.create_default_context(cafile=str(run.pki / "ca.crt"))
        self.context.load_cert_chain(run.pki / "admin.crt", run.pki / "admin.key")
        self.path, self.body, self.judge = f"{path}?dryRun=All", json.dumps(thing), judge
        self.pause = threads / a_second
        self.made, self.failed, self.over = 0, [], threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(threads)]

    def ask(self, connection):
        connection.request("POST", self.path, self.body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return self.judge(answer.status, answer.read().decode())

    def work(self):
        connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=30)
        while not self.over.is_set():
            began = time.monotonic()
            try:
                problem = self.ask(connection)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
                connection.close()
            with self.lock:
                self.made += 1
                if problem:
                    self.failed.append(problem)
            self.over.wait(max(0, self.pause - (time.monotonic() - began)))
        connection.close()

    def __enter__(self):
        self.fails_open = fails_open()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.fails_open = fails_open() - self.fails_open
