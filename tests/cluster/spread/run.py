"""One run of the stories: from the names that were given to build/proof.json and the count."""

import json
import os
import time
from pathlib import Path

from bed.paths import ROOT
from spread import jobs, records
from spread.dispatch import Dispatch

RAY = os.environ.get("RAY_VERSION", "2.46.0")


def by_ray(done):
    """{version of Ray: its record}. Second attempts come last and replace the first ones."""
    first, again = {}, {}
    for each in done:
        to = again if each.job.is_again else first
        to.setdefault(each.job.ray, []).append(each.record)
    whole = {ray: records.merged(several) for ray, several in first.items()}
    for ray, several in again.items():
        for record in several:
            records.add_second_attempt(whole[ray], record)
    return whole


def file_of(ray, is_part):
    """The stories that were named are not the whole proof."""
    name = "proof-part" if is_part else "proof" if ray == RAY else f"proof-ray-{ray}"
    return ROOT / "build" / f"{name}.json"


def run(arguments, say):
    """The exit code."""
    names, began = arguments.command, time.monotonic()
    todo = jobs.named_jobs(names, RAY) if names else jobs.all_jobs(RAY, arguments.also_ray)
    environment = {"RAYFIX": str(Path(arguments.rayfix).resolve())}
    dispatch = Dispatch(todo, arguments.beds, arguments.fake_nodes, arguments.run, environment, say)
    complete = dispatch.run()
    minutes = (time.monotonic() - began) / 60
    stories = {}
    for ray, record in by_ray(dispatch.todo.done).items():
        record["run"] = {"clusters": len(dispatch.workers), "minutes": round(minutes, 1)}
        path = file_of(ray, bool(names))
        records.write(path, record)
        say(f"written: {path}")
        stories.update({f"{name} (Ray {ray})": story
                        for name, story in record["stories"].items()})
    say(f"{len(dispatch.workers)} clusters, {minutes:.1f} min; {json.dumps(dispatch.seconds())}")
    code = records.summary(stories)
    # Everything is there: what is skipped lacks something that had to be installed.
    lacking = os.environ.get("CI") and any(
        story["result"].startswith("skipped") for story in stories.values())
    return 1 if lacking or not complete else code
