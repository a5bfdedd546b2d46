#!/usr/bin/env python3
"""A real Kubernetes on this machine, in namespaces of its own: docs/cluster.md."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bed import images, lifecycle, machine, tools
from bed.errors import Failed, Missing
from bed.paths import HERE, Run
from spread import run as spread

BEDS = 3  # more would only be slower on two cores


def say(line):
    print(line, flush=True)


def stop_on_signals():
    """SIGTERM and SIGHUP take the bed down just as Ctrl-C does. A shell starts what runs in its
    background with SIGINT ignored, and that would be inherited."""
    def interrupt(*_):
        raise KeyboardInterrupt
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def build_tools(arguments):
    """The programs take the processor, the images the network and the disk: both at once."""
    images_of_ray = None
    if arguments.ray:
        images_of_ray = subprocess.Popen([sys.executable, __file__, "ray", *arguments.ray])
    try:
        tools.build()
    finally:
        code = images_of_ray.wait() if images_of_ray else 0
    return code


def build_ray(arguments):
    for version in arguments.versions:
        images.make_ray(version, say)
    return 0


def up(arguments):
    stop_on_signals()
    bed = lifecycle.Bed(arguments.fake_nodes, arguments.rayfix, arguments.run)
    try:
        bed.start(say)
        say(f"\ncluster {bed.run.name} is up; in another terminal:\n"
            f"  make cluster-shell RUN={bed.run.name}\n"
            f"Logs: {bed.run.logs}\nCtrl-C ends it.")
        return 1 if bed.wait() else 0
    except KeyboardInterrupt:
        say("\ntaking it down")
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        bed.stop()


def find_run(name):
    runs = lifecycle.running()
    if name:
        runs = [(run, pid) for run, pid in runs if run == name]
    if not runs:
        raise Failed(f"no cluster {name or ''} is up: run  make cluster".replace("  is", " is"))
    return runs[-1]


def shell(arguments):
    """A shell, or the command that is given, inside of a cluster that is up."""
    name, pid = find_run(arguments.run)
    command = arguments.command or [os.environ.get("SHELL", "/bin/bash")]
    environment = Run(name).environment()
    environment["PS1"] = f"(cluster {name}) \\w\\$ "
    where = ["--wd=" + os.getcwd()]
    code = subprocess.run(lifecycle.enter(pid) + where + command, env=environment).returncode
    return code if arguments.command else 0  # of a shell it is that of the last thing typed


def test(arguments):
    """Brings clusters up, runs the stories inside of them, takes them down."""
    stop_on_signals()
    if os.environ.get("USE_EXISTING_CLUSTER"):
        stories = HERE / "stories" / "run.py"
        return subprocess.run([sys.executable, str(stories), *arguments.command]).returncode
    machine.check()
    if not arguments.rayfix:
        raise Failed("which rayfix? say --rayfix PROGRAM")
    try:
        return spread.run(arguments, say)
    except KeyboardInterrupt:
        return 130


def inside(arguments):
    return lifecycle.inside(Run(arguments.run), arguments.fake_nodes, arguments.rayfix)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, function, about in (
            ("tools", build_tools, "build the programs of the bed, if needed"),
            ("ray", build_ray, "make the images of Ray versions, if needed"),
            ("up", up, "bring a cluster up and stay"),
            ("shell", shell, "a shell in a cluster that is up"),
            ("test", test, "the tests, in a cluster of their own"),
            ("inside", inside, argparse.SUPPRESS)):
        verb = verbs.add_parser(name, help=about)
        verb.set_defaults(function=function)
        if name == "tools":
            verb.add_argument("--ray", action="append", default=[], metavar="VERSION",
                              help="make its image at the same time")
            continue
        if name == "ray":
            verb.add_argument("versions", nargs="+", metavar="VERSION")
            continue
        verb.add_argument("--run", help="name of the cluster")
        if name != "shell":
            verb.add_argument("--fake-nodes", type=int, default=0, help="how many kwok nodes")
            verb.add_argument("--rayfix", help="the program")
        if name == "test":
            verb.add_argument("--also-ray", action="append", default=[], metavar="VERSION",
                              help="the stories that depend on Ray once more, with this one")
            verb.add_argument("--beds", type=int, default=BEDS, metavar="N",
                              help=f"spread the stories over so many clusters ({BEDS})")
        if name in ("shell", "test"):
            verb.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    try:
        return arguments.function(arguments)
    except Missing as error:
        print(f"cluster: {error}", file=sys.stderr)
        return error.exit_code()
    except Failed as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
