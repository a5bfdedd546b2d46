"""Brings clusters up and lets them work off the jobs."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from bed import lifecycle
from bed.errors import Failed, Missing
from bed.paths import HERE
from bed.processes import last_lines
from spread import jobs, records, slots


@dataclass
class Done:
    """How a job ended."""
    job: jobs.Job
    record: dict
    seconds: float

    @property
    def failed(self):
        return records.failed(self.record)


class Todo:
    """The jobs that are left, and those that are done. Safe to use by all workers."""

    def __init__(self, all_jobs, again):
        self.left, self.again = list(all_jobs), again
        self.busy, self.wide, self.alone, self.done = 0, 0, False, []
        self.lock, self.over = threading.Condition(), threading.Event()

    def take(self):
        """The next job, or None when there is none (any more). Of those that want several slots one
        at a time, as long as there are others: it would only wait. While one wants all slots nothing
        else begins, or the next of its kind would wait for that."""
        with self.lock:
            self.lock.wait_for(lambda: not self.alone or self.is_empty())
            if self.is_empty():
                return None
            fit = [job for job in self.left if job.slots == 1 or not self.wide]
            job = (fit or self.left)[0]
            self.left.remove(job)
            self.busy += 1
            self.wide += job.slots > 1
            self.alone = job.slots == slots.WORK[1]
            return job

    def stop(self):
        with self.lock:
            self.over.set()
            self.lock.notify_all()

    def is_empty(self):
        return self.over.is_set() or not self.left

    @contextlib.contextmanager
    def promise(self):
        """Around what may fail before put(): nobody waits for a job that has died."""
        try:
            yield
        except BaseException:
            with self.lock:
                self.alone = False
                self.lock.notify_all()
            raise

    def put(self, done):
        """The last one to finish gets what has failed, once more."""
        with self.lock:
            self.busy -= 1
            self.wide -= done.job.slots > 1
            self.alone = False
            self.done.append(done)
            if self.again and not self.left and self.busy == 0:
                self.again = False
                self.left = self.failed_jobs()
            self.lock.notify_all()

    def failed_jobs(self):
        names = {}
        for done in self.done:
            names.setdefault(done.job.ray, []).extend(done.failed)
        return [jobs.once_more(failed, ray) for ray, failed in names.items() if failed]


class Worker(threading.Thread):
    """One cluster."""

    def __init__(self, bed, todo, environment, say):
        super().__init__(name=bed.run.name, daemon=True)
        self.bed, self.todo, self.say = bed, todo, say
        self.environment = {**bed.run.environment(), **environment}
        self.child = None
        self.problem = None

    def run(self):
        try:
            with slots.held(slots.CLUSTERS, self.todo.is_empty):
                self.work()
        except slots.GivenUp:
            pass  # nothing is left to do
        except (Failed, Missing) as error:
            self.problem = error
            self.say(f"cluster {self.name}: {error}")
        finally:
            self.bed.stop()

    def work(self):
        over = self.todo.over.is_set
        with slots.held(slots.WORK, over):
            self.bed.start(lambda line: None)
        self.say(f"cluster {self.name} is up")
        for job in iter(self.todo.take, None):
            with self.todo.promise(), slots.held(slots.WORK, over, job.slots):
                done = self.do(job)
            self.todo.put(done)
            if self.bed.child.poll() is not None:
                raise Failed(f"ended during {job.name}")

    def do(self, job):
        began = time.monotonic()
        name = job.name.replace(" ", "-")
        path = self.bed.run.data / f"record-{name}.json"
        log = self.bed.run.logs / f"{name}.txt"
        command = [*self.bed.enter(), f"--wd={os.getcwd()}", sys.executable,
                   str(HERE / "stories" / "run.py"), "--record", str(path), *job.stories]
        with open(log, "wb") as output:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                          stderr=output, env={**self.environment,
                                                              "RAY_VERSION": job.ray})
            self.child.wait()
        record = records.read(path)
        if record is None:
            result = {"result": "error", "seconds": 0}
            record = {"versions": {}, "machine": {}, "figures": {},
                      "stories": {name: result for name in job.stories}}
        done = Done(job, record, time.monotonic() - began)
        self.tell(done, log)
        return done

    def tell(self, done, log):
        ends = [story["result"] for story in done.record["stories"].values()]
        passed = sum(end == "passed" for end in ends)
        text = f"{self.name}  {done.job.name}: {passed} of {len(ends)} passed, {done.seconds:.0f} s"
        if done.failed:
            text += f", FAILED\n{log.read_text(errors='replace')}\n(end of {done.job.name})"
        if not self.todo.over.is_set():
            self.say(text)

    def end(self):
        """From another thread: the job that runs is over."""
        child = self.child
        if child and child.poll() is None:
            child.terminate()


class Dispatch:
    """A run of jobs in `count` clusters. Use run(); then `todo.done` has what they gave."""

    def __init__(self, all_jobs, count, fake_nodes, name, environment, say):
        count = max(1, min(count, len(all_jobs)))
        self.todo = Todo(all_jobs, again=bool(os.environ.get("CI")))
        self.say = say
        beds = [lifecycle.Bed(fake_nodes, None, self.bed_name(name, number, count))
                for number in range(count)]
        self.workers = [Worker(bed, self.todo, environment, say) for bed in beds]

    @staticmethod
    def bed_name(name, number, count):
        """A name that was given is that of the only cluster, or begins that of each."""
        return f"{name}-{number}" if name and count > 1 else name

    def run(self):
        """True if all jobs were done, however they ended. A cluster that is lost takes its job along,
        which has failed then; the others go on."""
        for worker in self.workers:
            worker.start()
        try:
            for worker in self.workers:
                while worker.is_alive():
                    worker.join(0.5)
        except KeyboardInterrupt:
            self.stop()
            raise
        for worker in self.workers:
            if worker.problem or any(done.failed for done in self.todo.done):
                self.show_logs(worker)
        return not self.todo.left

    def seconds(self):
        """How long each job took, the longest first: what jobs.SECONDS is made of."""
        taken = {done.job.name: round(done.seconds) for done in self.todo.done}
        return dict(sorted(taken.items(), key=lambda each: -each[1]))

    def stop(self):
        self.todo.stop()
        for worker in self.workers:
            worker.end()
        for worker in self.workers:
            worker.join()

    def show_logs(self, worker):
        """The ends of all logs of a cluster, after a failure."""
        for log in sorted(worker.bed.run.logs.glob("*.log")):
            self.say(f"\n-- {worker.name} {log.name}\n{last_lines(log)}")
