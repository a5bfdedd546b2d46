"""rayfix as a process with the service account of install.yaml: the real API server decides what
it may do, and a start takes no pod."""

import copy
import datetime
import json
import os
import re
import signal
import ssl
import subprocess
import urllib.error
import urllib.request

from bed.paths import API_URL, NODE_ADDRESS
from bed.rayfix import HEALTH, PORT
from installed import INSTALL, NAMESPACE, replicas
from kube import kubectl, manifest, wait_until
from server import server

ROLES = ("Role", "ClusterRole")
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
KINDS = ("ServiceAccount", "RoleBinding", "ClusterRoleBinding", *ROLES, *WEBHOOKS)


def fetch(url, **more):
    """The code, 0 without an answer, and what was said."""
    try:
        with urllib.request.urlopen(url, timeout=5, **more) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


class Permission:
    """One verb on one resource of one role."""

    def __init__(self, role, rule, group, resource, verb, name):
        self.role, self.rule = role, rule
        self.group, self.resource, self.verb, self.name = group, resource, verb, name

    def __str__(self):
        return f"{self.verb} {self.resource}"

    def is_refused(self):
        """How the API server says that this is what it did not allow."""
        return re.compile(rf'cannot {self.verb} resource \\?"{self.resource}\\?" in API group '
                          rf'\\?"{re.escape(self.group)}\\?"')


def own(kinds):
    """What install.yaml has of these kinds for the server."""
    return [thing for thing in manifest(INSTALL)
            if thing["kind"] in kinds and thing["metadata"]["name"] == "rayfix"]


def permissions():
    """Everything that the server may do, by install.yaml."""
    return [Permission(role["kind"], number, group, resource, verb,
                       *rule.get("resourceNames", [""]))
            for role in own(ROLES)
            for number, rule in enumerate(role["rules"])
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]]


def without(role, missing):
    """The role, with what is missing taken out and the rest as it was."""
    role = copy.deepcopy(role)
    rules = []
    for number, rule in enumerate(role["rules"]):
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                gone = {one.verb for one in missing
                        if (one.role, one.rule, one.group, one.resource) == (
                            role["kind"], number, group, resource)}
                verbs = [verb for verb in rule["verbs"] if verb not in gone]
                if verbs:
                    rules.append({**rule, "apiGroups": [group], "resources": [resource],
                                  "verbs": verbs})
    role["rules"] = rules
    return role


def apply(things):
    kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": things})


def allow_all_but(*missing):
    """Replaced, not applied: what is missing goes away. The API server takes a moment."""
    kubectl("replace", "-f", "-", stdin={"apiVersion": "v1", "kind": "List",
            "items": [without(role, missing) for role in own(ROLES)]})


class Process:
    """`rayfix serve` with the account; use it in a with statement."""

    def __init__(self, **certificates):
        self.folder = server().run.data / "account"
        self.log_file = server().run.logs / "rayfix-account.log"
        self.configuration = self.folder / "rayfix.json"
        self.folder.mkdir(exist_ok=True)
        self.configuration.write_text(json.dumps({
            "apiVersion": "rayfix.io/v1alpha1", "kind": "Configuration",
            "certificates": {"source": "secret", "accountDir": str(self.folder), **certificates}}))
        (self.folder / "ca.crt").write_bytes((server().run.pki / "ca.crt").read_bytes())
        (self.folder / "namespace").write_text(NAMESPACE)
        (self.folder / "token").write_text(
            kubectl("create", "token", "rayfix", "-n", NAMESPACE).out.strip())

    def __enter__(self):
        host, _, port = API_URL.partition("//")[2].partition(":")
        command = [server().program, "serve", "--config", str(self.configuration),
                   "--bind-address", f"{NODE_ADDRESS}:{PORT}",
                   "--health-bind-address", f"{NODE_ADDRESS}:8080"]
        with open(self.log_file, "wb") as log:
            self.child = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "KUBERNETES_SERVICE_HOST": host,
                     "KUBERNETES_SERVICE_PORT": port})
        wait_until("it answers", lambda: self.ask("/livez")[0] == 200)
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait(timeout=60)

    def ask(self, path):
        return fetch(HEALTH + path)

    def is_alive(self):
        return self.child.poll() is None and self.ask("/livez")[0] == 200

    def is_ready(self):
        return self.ask("/readyz")[0] == 200

    def why_not(self):
        """The reason that a person sees; empty while it is ready."""
        code, text = self.ask("/readyz?verbose")
        return text if code == 503 else ""

    def log(self):
        return self.log_file.read_text()

    def last(self, message):
        """When the log said so last, in seconds."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        times = [line["time"] for line in lines if line["msg"] == message]
        return datetime.datetime.fromisoformat(times[-1].replace("Z", "+00:00")).timestamp()


def page(pod, path):
    """What a replica says, through the API server."""
    pki = server().run.pki
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    url = f"{API_URL}/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}:8080/proxy"
    return fetch(url + path, context=context)[1]


def logs():
    return "".join(kubectl("logs", pod["metadata"]["name"], "-n", NAMESPACE, check=False).out
                   for pod in replicas())
