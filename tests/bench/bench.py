#!/usr/bin/env python3
"""Measures `rayfix serve` against nginx returning a constant of the answer's size, both over
TLS 1.3 with the same certificate, alternating in one run. Prints Markdown, writes bench.json."""

import argparse
import datetime
import json
import os
import platform
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import bodies
from admission import Server

HERE = Path(__file__).resolve().parent
CONNECTIONS = (1, 16, 64, 1000)
MANY = 1000  # so many handshakes take seconds, so these runs last at least LONG
LONG = 4
MAIN_BODY = "13kB"
LOG = os.devnull  # every decision is logged, as by default; a file would fill the disk
NGINX_PROGRAM = shutil.which("nginx") or "/usr/sbin/nginx"
CORES = os.cpu_count() or 1

NGINX = """
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 32m;
  client_body_buffer_size 2m;
  keepalive_requests 1000000000;
  keepalive_timeout 120s;
  server {{
    listen 127.0.0.1:{port} ssl reuseport backlog=4096;
    ssl_certificate {certs}/tls.crt;
    ssl_certificate_key {certs}/tls.key;
    ssl_protocols TLSv1.3;
    ssl_session_tickets off;
    ssl_session_cache off;
    default_type application/json;
{locations}
  }}
}}
"""


def constant(path, size):
    """A location that answers `size` bytes; one nginx parameter holds less than 4096."""
    pieces = [min(3000, size - at) for at in range(0, size, 3000)]
    names = [f"${path}_{number}" for number in range(len(pieces))]
    sets = "".join(f'      set {name} "{"x" * length}";\n'
                   for name, length in zip(names, pieces))
    return f'    location /{path} {{\n{sets}      return 200 "{"".join(names)}";\n    }}'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    def __init__(self, folder, certs, answers):
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.folder = folder
        locations = "\n".join(constant(location(name), size) for name, size in answers.items())
        Path(folder, "nginx.conf").write_text(NGINX.format(
            workers=CORES, folder=folder, certs=certs, port=self.port, locations=locations))

    def __enter__(self):
        self.process = subprocess.Popen(
            [NGINX_PROGRAM, "-p", self.folder, "-c", f"{self.folder}/nginx.conf"],
            stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while subprocess.run(["curl", "-sk", "-o", "/dev/null", self.url],
                             check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                sys.exit("bench: nginx did not start")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def location(body):
    return "b" + re.sub(r"\W", "_", body)


def wrk(url, body, connections, seconds, close):
    """One run of wrk; returns what report.lua prints."""
    seconds = max(seconds, LONG) if connections >= MANY else seconds
    command = ["wrk", f"-t{min(CORES, connections)}", f"-c{connections}", f"-d{seconds}s",
               "--timeout", "10s", "-s", str(HERE / "report.lua"), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "BODY": str(body), "CLOSE": "1" if close else "0"})
    match = re.search(r"^JSON (.*)$", done.stdout, re.MULTILINE)
    if not match:
        sys.exit(f"bench: {' '.join(command)}: {done.stdout}{done.stderr}")
    result = json.loads(match.group(1))
    result["rps"] = result["requests"] / (result["us"] / 1e6)
    result["errors"] = sum(result[key] for key in ("status", "connect", "read", "write", "timeout"))
    return result


def memory_kb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(rf"^{field}:\s+(\d+) kB", status.read(), re.MULTILINE).group(1))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class MemoryWatch(threading.Thread):
    """The largest VmRSS of a process while `with` lasts."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.over = pid, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            self.peak = max(self.peak, memory_kb(self.pid))
            time.sleep(0.05)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def median(results, key):
    return statistics.median(result[key] for result in results)


def compare(server, nginx, cell, flags):
    """Rounds of one row, the two servers in turn."""
    body, path, connections, close = cell
    targets = {"rayfix": f"{server.url}/mutate?timeout=10s",
               "nginx": f"{nginx.url}/{location(body)}"}
    runs = {name: [] for name in targets}
    spent = cpu_seconds(server.process.pid)
    for number in range(flags.rounds):
        order = list(targets) if number % 2 == 0 else list(targets)[::-1]
        for name in order:
            runs[name].append(wrk(targets[name], path, connections, flags.seconds, close))
    spent = cpu_seconds(server.process.pid) - spent
    row = {"body": body, "connections": connections, "close": close}
    for name, results in runs.items():
        row[name] = {key: median(results, key) for key in ("rps", "p50", "p99")}
        row[name]["errors"] = sum(result["errors"] for result in results)
    served = sum(result["requests"] for result in runs["rayfix"])
    row["cpu_us"] = spent / max(1, served) * 1e6
    row["rps_ratio"] = row["rayfix"]["rps"] / max(1, row["nginx"]["rps"])
    for key in ("p50", "p99"):
        row[f"{key}_ratio"] = row["rayfix"][key] / max(1, row["nginx"][key])
    return row


def cells(paths, flags):
    """Kept-alive: every size at every number of connections. A connection for each request: the
    main size at every number, the other sizes at 16. Flags choose among them."""
    rows = [(body, number, False) for body in paths for number in CONNECTIONS]
    rows += [(MAIN_BODY, number, True) for number in CONNECTIONS]
    rows += [(body, 16, True) for body in paths if body != MAIN_BODY]
    return [(body, paths[body], number, close) for body, number, close in rows
            if (not flags.body or body in flags.body)
            and (not flags.connections or number in flags.connections)]


def answer_sizes(server, paths):
    """How long the answers are; also that each is an answer with a patch."""
    sizes = {}
    for name, path in paths.items():
        done = subprocess.run(
            ["curl", "-sS", "--fail", "--noproxy", "*", "--cacert", server.ca_file, "-H",
             "Content-Type: application/json", "--data-binary", f"@{path}",
             f"{server.url}/mutate"], capture_output=True, check=False)
        if done.returncode != 0 or "patch" not in json.loads(done.stdout)["response"]:
            sys.exit(f"bench: no patch for {path}: {done.stdout} {done.stderr}")
        sizes[name] = len(done.stdout)
    return sizes


def start_times(program, certs, count):
    times = []
    for _ in range(count):
        with Server(program, certs, LOG) as server:
            times.append(server.start_ms)
    return statistics.median(times)


def memory(program, certs, path, seconds):
    """Fresh server: idle; the peak at 1,000 connections; the same again, which must be flat."""
    with Server(program, certs, LOG) as server:
        time.sleep(0.3)
        pid = server.process.pid
        result = {"idle": memory_kb(pid)}
        for load in ("load", "load_again", "load_third"):
            with MemoryWatch(pid) as watch:
                wrk(f"{server.url}/mutate", path, MANY, seconds, False)
            result[load] = watch.peak
        time.sleep(0.5)
        result["after"] = memory_kb(pid)
    return result


def bars(report):
    """What design promises: figure, bar, measured, whether it holds. Of the rows that were run."""
    rows = {(row["body"], row["connections"]): row for row in report["rows"] if not row["close"]}
    found = []

    def ratio(figure, row, key, bar, holds):
        if row in rows:
            value = rows[row][f"{key}_ratio"]
            found.append((figure, bar, f"{value:.2f} x", holds(value)))

    ratio("requests/s, 13 kB, 16 connections", (MAIN_BODY, 16), "rps", "at least 0.7 x nginx",
          lambda value: value >= 0.7)
    ratio("p50 at 1 connection", (MAIN_BODY, 1), "p50", "at most 1.5 x nginx",
          lambda value: value <= 1.5)
    ratio("p99 at 16 connections", (MAIN_BODY, 16), "p99", "at most 1.5 x nginx",
          lambda value: value <= 1.5)
    if {(MAIN_BODY, 1), ("1.5MB", 1)} <= rows.keys():
        small, large = (rows[body, 1]["rayfix"]["p50"] / report["bodies"][body]["bytes"]
                        for body in (MAIN_BODY, "1.5MB"))
        found.append(("time per byte, 1.5 MB against 13 kB", "at most 2 x",
                      f"{large / small:.2f} x", large / small <= 2))
    used = report["memory_kb"]
    peak = max(used["load"], used["load_again"], used["load_third"])
    flat = used["load_third"] / used["load_again"]
    return found + [
        ("RSS idle", "at most 10 MiB", f"{used['idle'] / 1024:.1f} MiB", used["idle"] <= 10240),
        ("RSS, 1,000 connections, 13 kB", "at most 40 MiB", f"{peak / 1024:.1f} MiB",
         peak <= 40960),
        ("the same once more", "flat", f"{flat:.2f} x", flat <= 1.05),
        ("start to ready", "at most 100 ms", f"{report['start_ms']:.0f} ms",
         report["start_ms"] <= 100),
    ]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def markdown(report):
    def line(row):
        ours, theirs = row["rayfix"], row["nginx"]
        errors = ours["errors"] + theirs["errors"]
        return (row["body"], f"{row['connections']:,}", "one request" if row["close"] else "kept",
                f"{ours['rps']:,.0f}", f"{theirs['rps']:,.0f}", f"{row['rps_ratio']:.2f}",
                f"{ours['p50']:,.0f} / {theirs['p50']:,.0f}",
                f"{ours['p99']:,.0f} / {theirs['p99']:,.0f}", f"{row['cpu_us']:.0f}",
                f"{ours['errors']} / {theirs['errors']}" if errors else "0")

    method = report["method"]
    used = report["memory_kb"]
    sizes = ", ".join(f"{name}: {body['bytes']:,} in, {body['answer']:,} out"
                      for name, body in report["bodies"].items())
    return "\n\n".join([
        f"Measured {report['date']} with {report['rayfix']} on {report['machine']}: "
        f"{method['rounds']} rounds of {method['seconds']} s ({LONG} s at {MANY:,} connections) "
        f"for each server and row, in turn; medians. wrk runs on the same {CORES} cores as the "
        f"server. {report['nginx']}. Bytes: {sizes}.",
        "## What is promised\n\n" + table(
            ("figure", "bar", "measured", "holds"),
            [(*bar[:3], "yes" if bar[3] else "**no**") for bar in bars(report)]),
        "## All rows\n\nLatency in microseconds, rayfix / nginx. CPU is rayfix's own time for a "
        "request, in microseconds. Errors are answers other than 2xx, refused connections and "
        "time-outs.\n\n" + table(
            ("body", "connections", "connection", "rayfix req/s", "nginx req/s", "ratio", "p50",
             "p99", "CPU", "errors"), [line(row) for row in report["rows"]]),
        "## Memory\n\n" + table(
            ("idle", "1,000 connections", "again", "a third time", "afterwards",
             "peak of the whole run"),
            [[f"{used[key] / 1024:.1f} MiB" for key in
              ("idle", "load", "load_again", "load_third", "after", "peak")]]),
    ]) + "\n"


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', Path("/etc/os-release").read_text(),
                       re.MULTILINE)
    return (f"{CORES} cores of {model.group(1) if model else platform.machine()}, "
            f"{system.group(1) if system else ''}, Linux {platform.release().split('-')[0]}")


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def measure(program, folder, flags):
    certs = os.path.join(folder, "certs")
    subprocess.run([program, "certs", "issue", "--cert-dir", certs], check=True,
                   stdout=subprocess.DEVNULL)
    paths = bodies.write("build/bench")
    report = {"date": datetime.date.today().isoformat(), "machine": machine(),
              "rayfix": output_of(program, "version"), "nginx": output_of(NGINX_PROGRAM, "-v"),
              "method": {"rounds": flags.rounds, "seconds": flags.seconds},
              "start_ms": start_times(program, certs, 7),
              "memory_kb": memory(program, certs, paths[MAIN_BODY], flags.seconds), "rows": []}
    with Server(program, certs, LOG) as server:
        answers = answer_sizes(server, paths)
        report["bodies"] = {name: {"bytes": path.stat().st_size, "answer": answers[name]}
                            for name, path in paths.items()}
        with Nginx(folder, certs, answers) as nginx:
            todo = cells(paths, flags)
            for number, cell in enumerate(todo, 1):
                row = compare(server, nginx, cell, flags)
                report["rows"].append(row)
                print(f"{number:2}/{len(todo)} {row['body']:>6} {row['connections']:5} "
                      f"{'one request' if row['close'] else 'kept':11} {row['rps_ratio']:.2f} x "
                      f"nginx, {row['rayfix']['errors']} errors", file=sys.stderr, flush=True)
        report["memory_kb"]["peak"] = memory_kb(server.process.pid, "VmHWM")
    return report


INTRO = """# Benchmarks

`make bench` writes this page's figures to the terminal and to build/bench.json; with
`make bench BENCH_FLAGS=--write` it writes this page. The yardstick is nginx that returns a constant
as long as rayfix's answer, over TLS 1.3 with the same ECDSA P-256 certificate and as many workers:
it parses no body and decides nothing, so it is the price of TLS and HTTP alone. wrk posts
AdmissionReviews of a GPU worker that gets five fixes; they are grown by environment variables,
annotations and managedFields, as real ones are.

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rayfix", default="build/release/rayfix", help="the built program")
    parser.add_argument("--seconds", type=int, default=2, help="length of one run (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="runs for each row (default 3)")
    parser.add_argument("--body", action="append", choices=bodies.SIZES, help="only this body")
    parser.add_argument("--connections", action="append", type=int, help="only so many")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    flags = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    with tempfile.TemporaryDirectory(prefix="rayfix-bench-") as folder:
        report = measure(os.path.abspath(flags.rayfix), folder, flags)
    Path("build/bench.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    page = markdown(report)
    print(page)
    if flags.write:
        (bodies.ROOT / "docs").mkdir(exist_ok=True)
        (bodies.ROOT / "docs" / "benchmarks.md").write_text(INTRO + page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
