"""rayfix as a process on the node, with certificates of its own issuing, behind a Service."""

import base64
import json
import subprocess
import urllib.request

from bed import components
from bed.errors import Failed
from bed.paths import HERE, NODE_ADDRESS, RAYFIX_SERVICE

NAMESPACE = "rayfix-system"
SERVICE = "rayfix"
PORT = 9443
HEALTH = f"http://{NODE_ADDRESS}:8080"
KINDS = "mutatingwebhookconfiguration,validatingwebhookconfiguration"


def issue(run, program):
    """Certificates by `rayfix certs issue`; returns their folder."""
    folder = run.data / "rayfix-certs"
    done = subprocess.run([program, "certs", "issue", "--cert-dir", folder, "--service", SERVICE,
                           "--namespace", NAMESPACE], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"rayfix certs issue: exit code {done.returncode}: {done.stderr.strip()}")
    return folder


def command(run, program, configuration=None):
    """What starts the server."""
    arguments = [program, "serve", "--bind-address", f"{NODE_ADDRESS}:{PORT}",
                 "--health-bind-address", f"{NODE_ADDRESS}:8080",
                 "--cert-dir", run.data / "rayfix-certs"]
    if configuration:
        arguments += ["--config", configuration]
    return [str(argument) for argument in arguments]


def is_ready():
    return components.answers(HEALTH + "/readyz")()


def metrics():
    with urllib.request.urlopen(HEALTH + "/metrics", timeout=5) as answer:
        return answer.read().decode()


def add_service(run):
    """The Service that the webhook configurations name."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    port = [{"name": "https", "port": 443, "targetPort": PORT, "protocol": "TCP"}]
    endpoint = [{"name": "https", "port": PORT, "protocol": "TCP"}]
    components.apply(run, namespace)
    components.apply(run, *components.service(NAMESPACE, SERVICE, RAYFIX_SERVICE, port, endpoint))


def register(run):
    """Applies webhooks.json with the CA that signed the serving certificate."""
    bundle = base64.b64encode((run.data / "rayfix-certs" / "ca.crt").read_bytes()).decode()
    text = (HERE / "webhooks.json").read_text().replace("@CA_BUNDLE@", bundle)
    components.apply(run, *json.loads(text)["items"])


def unregister(run):
    components.kubectl(run, "delete", "--ignore-not-found", KINDS, "rayfix")
