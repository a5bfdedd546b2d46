"""rayfix doctor and rayfix audit as people run them, people who may do this or that, and foreign
webhooks."""

import base64
import json
import os
import re
import subprocess

from bed.paths import API_URL
from kube import Result, kubectl, wait_until
from server import server

# A CA that was forgotten: valid in 2020.
EXPIRED = """\
-----BEGIN CERTIFICATE-----
MIIBXzCCAQagAwIBAgIUZfrzy8iARfhHq0DQT/Dy3axkBLMwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLbGVmdCBiZWhpbmQwHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAx
MDAwMDAwWjAWMRQwEgYDVQQDDAtsZWZ0IGJlaGluZDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABEkV0b7sIJZ0hPao3C9o+nCJEPxP+H0RYBB7aOMYoj3vrgMhd34H
q/AnuyKjYoZW5o8P5Z5nOIN8IUHzzPtPFpyjMjAwMA8GA1UdEwEB/wQFMAMBAf8w
HQYDVR0OBBYEFD2HU30vUCqZuNfgpb0RPbizWBcmMAoGCCqGSM49BAMCA0cAMEQC
ICxDYfVn21Xp/BP90Yzx5HFZMRiidnIEv+yDhTN79A09AiASDiL21YkYHVMLKKod
tzdDAHD4K1pJKjHowL+7P/q/DA==
-----END CERTIFICATE-----
"""


def rayfix(*arguments, person=None):
    """Runs the program under test as the administrator, or as the person of a kubeconfig."""
    environment = {**os.environ, **({"KUBECONFIG": str(person)} if person else {})}
    return Result(subprocess.run([os.environ["RAYFIX"], *map(str, arguments)], env=environment,
                                 capture_output=True, text=True, timeout=120))


class Report:
    """What rayfix doctor says."""

    def __init__(self, person=None):
        done = rayfix("doctor", "-o", "json", person=person)
        if done.code not in (0, 1, 3):
            raise AssertionError(f"rayfix doctor: exit code {done.code}: {done.err}")
        self.code, self.findings = done.code, done.json()["findings"]

    def has_errors(self):
        return any(finding["severity"] == "error" for finding in self.findings)

    def of(self, check, where=None):
        return [finding for finding in self.findings
                if finding["check"] == check and where in (None, finding["where"])]


def wait_report(what, condition, seconds=60):
    """The first report of which condition(report) is true; what doctor says if there is none."""
    def look():
        report = Report()
        return report if condition(report) else None
    try:
        return wait_until(what, look, seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{rayfix('doctor').out}") from None


def wait_healthy():
    """Until doctor has nothing to say."""
    return wait_report("rayfix doctor finds nothing", lambda report: not report.findings, 90)


def mend(finding, folder, editor=None):
    """Runs the command that a finding names, in the folder of install.yaml; `editor`, a program of
    sed, is what a person does in `kubectl edit`."""
    [command] = re.findall(r"kubectl [^;]*", finding["fix"])
    environment = dict(os.environ)
    if editor:
        script = folder / "editor"
        script.write_text(f"#!/bin/sh\nexec sed -i '{editor}' \"$1\"\n")
        script.chmod(0o755)
        environment["KUBE_EDITOR"] = str(script)
    subprocess.run(command.split(), cwd=folder, env=environment, check=True, capture_output=True,
                   timeout=120)


def person(name, namespace):
    """A service account; returns the kubeconfig that somebody made with its token."""
    kubectl("create", "serviceaccount", name, "-n", namespace)
    token = kubectl("create", "token", name, "-n", namespace).out.strip()
    path = server().run.data / f"{name}.kubeconfig"
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": "bed", "cluster": {
            "server": API_URL, "certificate-authority": str(server().run.pki / "ca.crt")}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": "bed", "user": name}}]}))
    return path


def foreign_webhook(name, bundle, service="rayfix", fails=True, resources=("example.com", "things"),
                    namespaces=()):
    """Somebody else's; its server is the one that is there, unless a Service is named."""
    group, resource = resources
    selector = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In",
                                      "values": list(namespaces)}]} if namespaces else {}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{
            "name": f"{name}.example.com", "sideEffects": "None", "timeoutSeconds": 1,
            "admissionReviewVersions": ["v1"], "failurePolicy": "Fail" if fails else "Ignore",
            "namespaceSelector": selector,
            "rules": [{"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE"],
                       "resources": [resource]}],
            "clientConfig": {"caBundle": bundle, "service": {
                "namespace": "rayfix-system", "name": service, "path": "/validate"}}}]}


def base64_of(text):
    return base64.b64encode(text.encode()).decode()
