"""The portions in which clusters take the stories."""

import ast
from dataclasses import dataclass
from pathlib import Path

from spread import slots

STORIES = Path(__file__).resolve().parent.parent / "stories"

# Those whose outcome depends on the version of Ray run once more with another one.
OF_RAY = ("test_drain", "test_drain_head", "test_drain_times")
# Each class is a portion of its own where a module is long.
BY_CLASS = ("test_endurance", "test_install", "test_permissions", "test_replicas", "test_wait")
# How many slots a portion takes (slots.py), if not one: what needs a processor for itself takes half
# of them, what measures the cost of things runs while nothing else does.
SLOTS = {"test_cost": slots.WORK[1], "test_drain": 2, "test_drain_times": slots.WORK[1],
         "test_endurance.Memory": 2, "test_endurance.Replaced": 2, "test_endurance.Rotations": 2}
# About how long the longest take, in seconds. They begin: the end is not to wait for one of them.
SECONDS = {"test_endurance.Replaced": 420, "test_replicas.ApiServerAway": 390, "test_drain": 360,
           "test_replicas.AtOnce": 270, "test_samples": 260, "test_endurance.Rotations": 220,
           "test_permissions.Permissions": 200, "test_wait.Waiting": 170,
           "test_endurance.Memory": 150, "test_replicas.Clocks": 150, "test_replicas.Lost": 115,
           "test_drain_head": 115, "test_node_restart": 90, "test_install.Install": 90,
           "test_readiness": 90, "test_doctor": 80, "test_wait_native": 80, "test_wait_heads": 75,
           "test_permissions.Installed": 70, "test_bad_secret": 65, "test_scale": 65,
           "test_install.CertManager": 45, "test_tmp_memory": 45}
USUAL_SECONDS = 20


@dataclass(frozen=True)
class Job:
    """Stories that run one after the other in one cluster, with one version of Ray."""
    name: str
    stories: tuple  # names as unittest's loader takes them
    ray: str
    is_again: bool = False

    @property
    def slots(self):
        return slots.WORK[1] if self.is_again else SLOTS.get(self.stories[0], 1)

    @property
    def seconds(self):
        return SECONDS.get(self.stories[0], USUAL_SECONDS)


def test_classes(module):
    """The names of a module's classes that have tests."""
    tree = ast.parse((STORIES / f"{module}.py").read_text())
    return [each.name for each in tree.body if isinstance(each, ast.ClassDef) and any(
        isinstance(part, ast.FunctionDef) and part.name.startswith("test_") for part in each.body)]


def portions(module):
    if module not in BY_CLASS:
        return [module]
    return [f"{module}.{name}" for name in test_classes(module)]


def all_jobs(ray, more_rays=()):
    """Every story with the first version of Ray, some with each of the others. First what takes several
    slots, which are hard to come by later, then the longest."""
    modules = [path.stem for path in sorted(STORIES.glob("test_*.py"))]
    jobs = [Job(name, (name,), ray)
            for module in modules for name in portions(module)]
    jobs += [Job(f"{name} with Ray {other}", (name,), other)
             for other in more_rays for module in OF_RAY for name in portions(module)]
    return sorted(jobs, key=lambda job: (-job.slots, -job.seconds, job.name))


def named_jobs(names, ray):
    return [Job(name, (name,), ray) for name in names]


def once_more(names, ray):
    """What has failed, when all else is done."""
    return Job(f"once more with Ray {ray}", tuple(names), ray, is_again=True)
