"""Keys, certificates and kubeconfigs of one run, made with openssl."""

import json
import subprocess

from bed.errors import Failed
from bed.paths import API_SERVICE, API_URL, NODE, NODE_ADDRESS

# file name: (common name, organisation)
CLIENTS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
}
API_NAMES = ["kubernetes", "kubernetes.default", "kubernetes.default.svc",
             "kubernetes.default.svc.cluster.local", "localhost"]
API_ADDRESSES = ["127.0.0.1", API_SERVICE, NODE_ADDRESS]


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"openssl {arguments[0]}: {done.stderr.strip()}")


def make_key(path):
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)


def make_ca(pki):
    make_key(pki / "ca.key")
    openssl("req", "-x509", "-new", "-key", pki / "ca.key", "-subj", "/CN=rayfix-bed-ca",
            "-days", "30", "-out", pki / "ca.crt")


def sign(pki, name, subject, extensions):
    make_key(pki / f"{name}.key")
    openssl("req", "-new", "-key", pki / f"{name}.key", "-subj", subject,
            "-out", pki / f"{name}.csr")
    extension_file = pki / f"{name}.ext"
    extension_file.write_text(extensions)
    openssl("x509", "-req", "-in", pki / f"{name}.csr", "-CA", pki / "ca.crt",
            "-CAkey", pki / "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", extension_file, "-out", pki / f"{name}.crt")


def kubeconfig(pki, name):
    return json.dumps({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bed",
        "clusters": [{"name": "bed", "cluster": {
            "server": API_URL, "certificate-authority": str(pki / "ca.crt")}}],
        "users": [{"name": name, "user": {
            "client-certificate": str(pki / f"{name}.crt"),
            "client-key": str(pki / f"{name}.key")}}],
        "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": name}}],
    }, indent=1)


def make(run):
    """Everything that the components need, in run.pki; the admin's kubeconfig in run.kubeconfig."""
    pki = run.pki
    make_ca(pki)
    names = [f"DNS:{name}" for name in API_NAMES] + [f"IP:{ip}" for ip in API_ADDRESSES]
    sign(pki, "apiserver", "/CN=kube-apiserver",
         f"extendedKeyUsage=serverAuth\nsubjectAltName={','.join(names)}\n")
    for name, (user, group) in CLIENTS.items():
        subject = (f"/O={group}" if group else "") + f"/CN={user}"
        sign(pki, name, subject, "extendedKeyUsage=clientAuth\n")
        (pki / f"{name}.kubeconfig").write_text(kubeconfig(pki, name))
    make_key(pki / "service-account.key")
    openssl("ec", "-in", pki / "service-account.key", "-pubout",
            "-out", pki / "service-account.pub")
    run.kubeconfig.write_text(kubeconfig(pki, "admin"))
