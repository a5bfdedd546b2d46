"""What the creation of a worker pod costs in the API server: as it is, with a
MutatingAdmissionPolicy that makes the same changes by JSONPatch, and with rayfix."""

import http.client
import json
import multiprocessing
import os
import ssl
import statistics
import time
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from bed.paths import API_URL, Run
from kube import applied, example, kubectl, wait_until
from proof import record
from server import needs_the_bed, server

# Namespaces that the webhooks leave out (webhooks.json): nothing is registered and taken away again
# between the measurements. Nothing is stored in them either: all creations are dry runs.
WAYS = {"no policy": "kube-public", "policy with JSONPatch": "kube-node-lease",
        "rayfix": "default"}
CLIENTS = (1, 16)
ROUNDS = 3
SECONDS = 2.5
BODY = 13000  # bytes
TICKS = os.sysconf("SC_CLK_TCK")
POLICY = "same-by-jsonpatch"


def worker_pod(namespace):
    """A worker of usual size; what people add is mostly environment."""
    pod = example("gpu-worker-helm-log-volume.json", namespace)
    # The token's volume has a random name, and the policy shall make what rayfix made once.
    pod["spec"]["automountServiceAccountToken"] = False
    environment = pod["spec"]["containers"][0]["env"]
    while len(json.dumps(pod)) < BODY:
        name = f"TRAINING_SETTING_{len(environment)}"
        environment.append({"name": name, "value": f"s3://datasets/{name.lower()}/2026-11-21"})
    return pod


# ---- a client: one process, one connection that is kept

class Client:
    def __init__(self):
        pki = Run(os.environ["RAYFIX_BED"]).pki
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.connection = http.client.HTTPSConnection(urlsplit(API_URL).netloc, context=context)
        self.bodies = {namespace: json.dumps(worker_pod(namespace)).encode()
                       for namespace in WAYS.values()}

    def create(self, namespace):
        self.connection.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All",
                                self.bodies[namespace], {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, answer.read()


_client = None
_all_together = None


def begin(barrier):
    global _client, _all_together
    _client, _all_together = Client(), barrier


def measure(namespace, clients):
    """Creates for SECONDS; the seconds that each creation took, failures, own CPU seconds."""
    _client.create(namespace)
    if clients > 1:
        _all_together.wait(60)
    taken, failed, cpu = [], 0, time.process_time()
    end = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < end:
        status, _ = _client.create(namespace)
        taken.append(time.perf_counter() - began)
        failed += status != 201
    return taken, failed, time.process_time() - cpu


# ---- the policy: what rayfix did to the pod, as JSONPatch with the values written in

def changes(old, new, path=""):
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(new):
            place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in old:
                yield from changes(old[key], new[key], place)
            else:
                yield "add", place, new[key]
    elif isinstance(old, list) and isinstance(new, list) and len(old) <= len(new):
        for number, (one, other) in enumerate(zip(old, new)):
            yield from changes(one, other, f"{path}/{number}")
        for more in new[len(old):]:
            yield "add", f"{path}/-", more
    elif old != new:
        yield "replace", path, new


def policy(operations):
    # JSON is written in CEL as it is, but for characters beyond the basic plane: there are none.
    patch = ", ".join(f'JSONPatch{{op: "{how}", path: "{path}", value: {json.dumps(value)}}}'
                      for how, path, value in operations)
    api = "admissionregistration.k8s.io/v1"
    return {"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": api, "kind": "MutatingAdmissionPolicy", "metadata": {"name": POLICY},
         "spec": {
             # Called again it would append again: a policy for all pods would have to ask first.
             "failurePolicy": "Fail", "reinvocationPolicy": "Never",
             "matchConstraints": {
                 "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
                                    "operations": ["CREATE"], "resources": ["pods"]}],
                 "objectSelector": {"matchExpressions": [
                     {"key": "ray.io/node-type", "operator": "In", "values": ["worker"]}]}},
             "mutations": [{"patchType": "JSONPatch",
                            "jsonPatch": {"expression": f"[{patch}]"}}]}},
        {"apiVersion": api, "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": POLICY},
         "spec": {"policyName": POLICY, "matchResources": {"namespaceSelector": {"matchLabels": {
             "kubernetes.io/metadata.name": WAYS["policy with JSONPatch"]}}}}}]}


# ---- the processor time of the programs

def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pid_of(program):
    for comm in Path("/proc").glob("[0-9]*/comm"):
        if comm.read_text().strip() == program[:15]:
            return int(comm.parent.name)
    raise AssertionError(f"{program} does not run")


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


@needs_the_bed
class Cost(unittest.TestCase):

    def created(self, namespace):
        status, body = self.client.create(namespace)
        self.assertEqual(status, 201, body)
        return json.loads(body)

    def make_policy(self):
        plain, fixed = (self.created(WAYS[way]) for way in ("no policy", "rayfix"))
        self.assertEqual(applied(plain), [])
        parts = [{"metadata": {key: pod["metadata"][key] for key in ("annotations",)
                               if key in pod["metadata"]}, "spec": pod["spec"]}
                 for pod in (plain, fixed)]
        operations = list(changes(*parts))
        self.addCleanup(kubectl, "delete", "mutatingadmissionpolicy,mutatingadmissionpolicybinding",
                        POLICY)
        kubectl("create", "-f", "-", stdin=policy(operations))
        namespace = WAYS["policy with JSONPatch"]
        wait_until("the policy acts", lambda: applied(self.created(namespace)))
        self.assertEqual(self.created(namespace)["spec"], fixed["spec"], "both make the same")
        self.assertEqual(applied(self.created(namespace)), applied(fixed))
        return len(operations)

    def one(self, pool, clients, namespace):
        """The figures of one measurement."""
        programs = {"the API server": pid_of("kube-apiserver"), "rayfix": pid_of("rayfix")}
        before = {name: cpu_seconds(pid) for name, pid in programs.items()}
        began = time.perf_counter()
        parts = pool.starmap(measure, [(namespace, clients)] * clients, chunksize=1)
        seconds = time.perf_counter() - began
        taken = [each for part, _, _ in parts for each in part]
        self.assertEqual(sum(failed for _, failed, _ in parts), 0)
        figures = {"creations per s": len(taken) / SECONDS,
                   "p50 ms": 1000 * share(taken, 0.5), "p99 ms": 1000 * share(taken, 0.99)}
        for name, pid in programs.items():
            used = cpu_seconds(pid) - before[name]
            figures[f"processor ms of {name}"] = 1000 * used / len(taken)
        figures["processors of the clients, %"] = \
            100 * sum(cpu for _, _, cpu in parts) / seconds / os.cpu_count()
        return figures

    def test_creations_as_they_are_with_a_policy_and_with_rayfix(self):
        server().on()
        self.client = Client()
        self.addCleanup(self.client.connection.close)
        operations = self.make_policy()
        seen = {}
        most = max(CLIENTS)
        with multiprocessing.Pool(most, begin, [multiprocessing.Barrier(most)]) as pool:
            for _ in range(ROUNDS):
                for clients in CLIENTS:
                    for way, namespace in WAYS.items():
                        seen.setdefault((clients, way), []).append(
                            self.one(pool, clients, namespace))
        for namespace in WAYS.values():
            self.assertEqual(applied(self.created(namespace)) != [], namespace != "kube-public")
        rows = {}
        for (clients, way), figures in seen.items():
            row = {name: round(statistics.median(each[name] for each in figures), 2)
                   for name in figures[0]}
            who = "1 client" if clients == 1 else f"{clients} clients"
            row["p50, times that of no policy"] = round(
                row["p50 ms"] / rows.get(f"{who}, no policy", row)["p50 ms"], 2)
            rows[f"{who}, {way}"] = row
        body = len(self.client.bodies["default"])
        record("cost in the API server", creations=rows, how=(
            f"creation of a GPU worker pod of {body / 1000:.1f} kB with dryRun=All, kept "
            f"connections, one process per client on the same {os.cpu_count()} processors; "
            f"medians of {ROUNDS} alternating rounds of {SECONDS} s. The policy has the "
            f"{operations} changes as constants written in, in CEL; rayfix is called twice, to "
            "change and to check."))


if __name__ == "__main__":
    unittest.main()
