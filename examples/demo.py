#!/usr/bin/env python3
"""Starts rayfix on loopback, sends the pods of this folder through it as the API server would, and
shows what comes back. Exits 1 if a pod does not get the fixes that it should."""

import argparse
import difflib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from admission import Server, apply_patch, patch_of, review

HERE = Path(__file__).resolve().parent

# File, what it is, the fixes that it must get.
PODS = [
    ("cpu-worker", "a CPU worker, as KubeRay 1.5 makes it",
     {"dns-config", "prestop-drain", "wait-gcs"}),
    ("gpu-worker-helm-log-volume", "a GPU worker of the Helm chart, its log volume at /tmp/ray",
     {"dns-config", "gpu-tolerations", "prestop-drain", "tmp-ray-memory", "wait-gcs"}),
    ("gpu-worker-spot", "a GPU worker that asks for spot nodes by annotation",
     {"dns-config", "gpu-tolerations", "prestop-drain", "spot-placement", "tmp-ray-memory",
      "wait-gcs"}),
    ("worker-duplicate-wait", "a worker with a wait-gcs-ready of its own beside KubeRay's",
     {"dns-config", "prestop-drain", "wait-gcs"}),
    ("head-without-probe", "the head of a cluster without an operator, no readiness probe",
     {"dns-config", "prestop-drain", "readiness-probe"}),
    ("web-pod", "a pod that is not Ray", set()),
]

METRICS = ("rayfix_admission_requests_total", "rayfix_rule_results_total",
           "rayfix_patch_operations_total")
SHOWN_SCRIPT_LINES = 4
WIDTH = 100
PLAIN = re.compile(r"[A-Za-z0-9/._][\w/. -]*")  # a string that needs no quotes in YAML


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text


def scalar(value, full):
    """A YAML scalar, as lines; long scripts are cut unless `full`."""
    if not isinstance(value, str):
        return [json.dumps(value)]
    if "\n" not in value:
        plain = PLAIN.fullmatch(value) and not value.replace(".", "").isdigit()
        return [value if plain else json.dumps(value)]
    lines = [line.expandtabs(2).rstrip() for line in value.strip("\n").split("\n")]
    lines = textwrap.dedent("\n".join(lines)).split("\n")
    if len(lines) > SHOWN_SCRIPT_LINES + 1 and not full:
        left = len(lines) - SHOWN_SCRIPT_LINES
        lines = lines[:SHOWN_SCRIPT_LINES] + [f"... {left} more lines"]
    return ["|"] + ["  " + line for line in lines]


def yaml(value, full, indent=""):
    """The lines of `value` as YAML for people."""
    if isinstance(value, dict) and value:
        pairs = [(f"{key}:", item) for key, item in value.items()]
    elif isinstance(value, list) and value:
        pairs = [("-", item) for item in value]
    else:
        return [indent + line for line in scalar(value, full)]
    lines = []
    for lead, item in pairs:
        nested = yaml(item, full, indent + "  ")
        if isinstance(item, (dict, list)) and item:
            if lead == "-":
                lines.append(f"{indent}- {nested[0].strip()}")
                lines += nested[1:]
            else:
                lines += [indent + lead] + nested
        else:
            lines.append(f"{indent}{lead} {nested[0].strip()}")
            lines += nested[1:]
    return lines


def where(lines, index):
    """What line `index` belongs to, such as spec.containers[ray-worker].lifecycle."""
    indent = len(lines[index]) - len(lines[index].lstrip())
    path = ""
    for line in reversed(lines[:index]):
        text = line.lstrip()
        if len(line) - len(text) >= indent:
            continue
        indent = len(line) - len(text)
        if text.startswith("- name: "):
            path = f"[{text[len('- name: '):]}]{path}"
        elif text.endswith(":") and not text.startswith("- "):
            path = f".{text[:-1]}{path}"
    return path.lstrip(".")


def show_difference(before, after, full):
    old, new = yaml(before, full), yaml(after, full)
    shown = None
    for what, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if what == "equal":
            continue
        place = where(new, j1) if j2 > j1 else where(old, i1)
        if place != shown:
            print(paint("2", f"   {place}"))
            shown = place
        taken = old[i1:i2] + new[j1:j2]
        margin = min(len(line) - len(line.lstrip()) for line in taken)
        for sign, color, lines in (("-", "31", old[i1:i2]), ("+", "32", new[j1:j2])):
            for line in lines:
                text = f"     {sign} {line[margin:]}"
                cut = text if len(text) <= WIDTH or full else text[:WIDTH - 3] + "..."
                print(paint(color, cut))


def post(server, folder, pod):
    """Sends the pod with curl, which verifies the certificate; returns the decoded answer."""
    body = Path(folder) / "review.json"
    body.write_text(json.dumps(review(pod)), encoding="utf-8")
    command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "20",
               "--noproxy", "*", "--cacert", server.ca_file,
               "--header", "Content-Type: application/json",
               "--data-binary", f"@{body}", f"{server.url}/mutate?timeout=10s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{server.log()}")
    return json.loads(done.stdout)


def applied(pod):
    names = pod["metadata"].get("annotations", {}).get("rayfix.io/applied", "")
    return {name for name in names.split(",") if name}


def show_pod(server, folder, number, entry, full):
    """Sends one pod, twice; returns what is wrong, one line each."""
    name, what, expected = entry
    pod = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    print(paint("1", f"\n{number}. {what}  (examples/{name}.json)"))
    answer = post(server, folder, pod)
    if not answer["response"]["allowed"]:
        return [f"{name}: denied: {answer['response'].get('status', {}).get('message')}"]
    patch = patch_of(answer)
    fixed = apply_patch(pod, patch)
    acted = applied(fixed)
    if patch:
        print(f"   allowed, {len(patch)} patch operations by {', '.join(sorted(acted))}")
        show_difference(pod, fixed, full)
    else:
        print("   allowed, nothing to fix")
    for warning in answer["response"].get("warnings", []):
        print(f"   warning: {warning}")
    wrong = []
    if acted != expected:
        wrong.append(f"{name}: fixed by {sorted(acted) or 'nothing'}, not {sorted(expected)}")
    if not expected and patch:
        wrong.append(f"{name}: changed although it is no Ray pod")
    if patch_of(post(server, folder, fixed)):
        wrong.append(f"{name}: fixed once more when it is sent again")
    return wrong


def show_metrics(server):
    print(paint("1", "\nSome of /metrics"))
    for line in server.get("/metrics").splitlines():
        counted = line.startswith(METRICS) and not line.endswith(" 0")
        if counted and 'result="not_applicable"' not in line:
            print(f"   {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rayfix", default="build/release/rayfix", help="the built program")
    parser.add_argument("--full", action="store_true", help="show scripts whole")
    flags = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped, too
    program = os.path.abspath(flags.rayfix)
    with tempfile.TemporaryDirectory(prefix="rayfix-demo-") as folder:
        certs = os.path.join(folder, "certs")
        subprocess.run([program, "certs", "issue", "--cert-dir", certs], check=True,
                       stdout=subprocess.DEVNULL)
        wrong = []
        with Server(program, certs) as server:
            print(f"rayfix is ready after {server.start_ms:.0f} ms at {server.url}; "
                  "curl verifies its certificate against the CA just issued.")
            for number, entry in enumerate(PODS, 1):
                wrong += show_pod(server, folder, number, entry, flags.full)
            show_metrics(server)
        if server.process.returncode != 0:
            wrong.append(f"the server ended with {server.process.returncode}: {server.log()}")
    for line in wrong:
        print(f"FAILED: {line}", file=sys.stderr)
    if not wrong:
        fixed = sum(1 for entry in PODS if entry[2])
        print(f"\n{len(PODS)} pods sent, none denied, {fixed} fixed as expected, "
              "none changed when sent again. The server has stopped.")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"demo: {error}")
