"""Keys, certificates and kubeconfigs of one run, made with openssl."""

import json
import subprocess
import time

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
# A cluster is rarely new: a program whose clock is an hour behind must not find its certificates to
# be of the future. Of openssl's commands only `ca` lets one say when a certificate begins.
SECONDS_BEFORE, SECONDS_AFTER = 86400, 30 * 86400
SIGNING = """[ca]
default_ca = bed
[bed]
database = {pki}/index.txt
new_certs_dir = {pki}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = names
[names]
organizationName = optional
commonName = supplied
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"openssl {arguments[0]}: {done.stderr.strip()}")


def make_key(path):
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)


def issue(pki, name, subject, extensions, *signer):
    """NAME.key and NAME.crt; `signer` says with what it is signed."""
    make_key(pki / f"{name}.key")
    openssl("req", "-new", "-key", pki / f"{name}.key", "-subj", subject,
            "-out", pki / f"{name}.csr")
    extension_file = pki / f"{name}.ext"
    extension_file.write_text(extensions)
    begin, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
                  for seconds in (-SECONDS_BEFORE, SECONDS_AFTER))
    openssl("ca", "-batch", "-notext", "-config", pki / "signing.cnf", "-startdate", begin,
            "-enddate", end, "-in", pki / f"{name}.csr", "-extfile", extension_file,
            "-keyfile", pki / "ca.key", *signer, "-out", pki / f"{name}.crt")


def make_ca(pki):
    (pki / "signing.cnf").write_text(SIGNING.format(pki=pki))
    (pki / "index.txt").write_text("")
    issue(pki, "ca", "/CN=rayfix-bed-ca", "basicConstraints=critical,CA:TRUE\n"
          "keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n", "-selfsign")


def sign(pki, name, subject, extensions):
    issue(pki, name, subject, extensions, "-cert", pki / "ca.crt")


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
