"""The components of the bed, in the order in which they start."""

import json
import ssl
import subprocess
import urllib.error
import urllib.request

from bed import machine, network, tools
from bed.errors import Failed
from bed.paths import (API_URL, BIN, DNS_SERVICE, IMAGES, NODE, NODE_ADDRESS, POD_NETWORK,
                       SERVICE_NETWORK)

FAKE_NODE_ANNOTATION = "kwok.x-k8s.io/node"
PAUSE_IMAGE = "rayfix.local/pause:1"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


class Api:
    """Questions to the API server as the administrator."""

    def __init__(self, run):
        self.context = ssl.create_default_context(cafile=str(run.pki / "ca.crt"))
        self.context.load_cert_chain(run.pki / "admin.crt", run.pki / "admin.key")

    def get(self, path):
        """The answer as text, or None while there is none."""
        try:
            with urllib.request.urlopen(API_URL + path, context=self.context, timeout=5) as answer:
                return answer.read().decode()
        except (OSError, urllib.error.HTTPError):
            return None

    def node_is_ready(self, name):
        answer = self.get(f"/api/v1/nodes/{name}")
        if answer is None:
            return False
        node = json.loads(answer)
        ready = any(condition["type"] == "Ready" and condition["status"] == "True"
                    for condition in node.get("status", {}).get("conditions", []))
        return ready and not node["spec"].get("taints")


def answers(url):
    def ask():
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False
    return ask


def kubectl(run, *arguments, stdin=None):
    done = subprocess.run([BIN / "kubectl", *arguments], env=run.environment(), text=True,
                          input=stdin, capture_output=True)
    if done.returncode != 0:
        raise Failed(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def apply(run, *objects):
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    return kubectl(run, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)


def start_etcd(run, processes):
    processes.start("etcd", [
        BIN / "etcd", "--unsafe-no-fsync", "--data-dir", run.data / "etcd",
        "--listen-client-urls", "http://127.0.0.1:2379",
        "--advertise-client-urls", "http://127.0.0.1:2379",
        "--listen-peer-urls", "http://127.0.0.1:2380"])
    processes.wait_for("etcd", answers("http://127.0.0.1:2379/health"), 20)


def start_apiserver(run, processes):
    pki = run.pki
    processes.start("kube-apiserver", [
        BIN / "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={NODE_ADDRESS}", "--bind-address=0.0.0.0", "--secure-port=6443",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt", f"--cert-dir={run.data}/apiserver",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/service-account.pub",
        f"--service-account-signing-key-file={pki}/service-account.key",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        # Otherwise exec and logs look for the node's name in DNS.
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true"])
    api = Api(run)
    processes.wait_for("kube-apiserver", lambda: api.get("/readyz") == "ok", 60)


def start_controllers(run, processes):
    """All controllers: without node-lifecycle nodes keep their not-ready taint."""
    pki = run.pki
    processes.start("kube-controller-manager", [
        BIN / "kube-controller-manager", f"--kubeconfig={pki}/controller-manager.kubeconfig",
        "--leader-elect=false", "--use-service-account-credentials=true",
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/service-account.key",
        f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
        "--allocate-node-cidrs=false", f"--cert-dir={run.data}/controller-manager"])
    processes.start("kube-scheduler", [
        BIN / "kube-scheduler", f"--kubeconfig={pki}/scheduler.kubeconfig",
        "--leader-elect=false", f"--cert-dir={run.data}/scheduler"])


def containerd_configuration(run):
    snapshotter = machine.containers_snapshotter(run.data)
    return f"""version = 2
root = "{run.data}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Where CAP_SYS_RESOURCE is missing runc dies with "can't get final child's PID" otherwise.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{machine.CNI_PLUGINS}"
    conf_dir = "{run.data}/cni/net.d"
"""


def start_containerd(run, processes):
    network.write_cni(run.data / "cni" / "net.d", run.data / "cni" / "data")
    configuration = run.data / "containerd.toml"
    configuration.write_text(containerd_configuration(run))
    processes.start("containerd", ["containerd", "--config", configuration])

    def is_up():
        return subprocess.run(["ctr", "version"], capture_output=True).returncode == 0
    processes.wait_for("containerd", is_up, 30)
    for image in sorted(IMAGES.glob("*.tar")):
        import_image(run, image)


def node_images():
    """The names of the images that the real node has; to be asked inside of the bed."""
    return subprocess.run(["ctr", "-n", "k8s.io", "images", "ls", "-q"], capture_output=True,
                          text=True).stdout.split()


def import_image(run, image):
    done = subprocess.run(["ctr", "-n", "k8s.io", "images", "import", "--snapshotter",
                           machine.containers_snapshotter(run.data), str(image)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"image {image}: {done.stderr.strip()}")


def kubelet_configuration(run):
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False},
                           "x509": {"clientCAFile": str(run.pki / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{run.cgroup}",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "failCgroupV1": False,
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "podLogsDir": str(run.data / "pod-logs"),
        "volumePluginDir": str(run.data / "volume-plugins"),
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,
        "imageMinimumGCAge": "24h",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%",
                         "imagefs.available": "1%", "nodefs.inodesFree": "1%"},
        "fileCheckFrequency": "0s",
        "staticPodPath": "",
        "shutdownGracePeriod": "0s",
    }


def start_kubelet(run, processes):
    configuration = run.data / "kubelet.json"
    configuration.write_text(json.dumps(kubelet_configuration(run), indent=1))
    processes.start("kubelet", [
        BIN / "kubelet", f"--config={configuration}", f"--hostname-override={NODE}",
        f"--node-ip={NODE_ADDRESS}", f"--kubeconfig={run.pki}/kubelet.kubeconfig",
        f"--root-dir={run.data}/kubelet", f"--cert-dir={run.data}/kubelet-certs"])


def start_proxy(run, processes):
    configuration = run.data / "kube-proxy.json"
    configuration.write_text(json.dumps({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "nftables": {"masqueradeAll": True},
        "conntrack": {"maxPerCore": 0},
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": NODE,
        "clientConnection": {"kubeconfig": str(run.pki / "proxy.kubeconfig")},
    }, indent=1))
    processes.start("kube-proxy", [BIN / "kube-proxy", f"--config={configuration}"])


def service(namespace, name, address, ports, endpoint_ports, endpoint=NODE_ADDRESS):
    """A Service in front of a process on the node, with the endpoints that no pod gives it."""
    return [
        {
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"clusterIP": address, "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"namespace": namespace, "name": f"{name}-bed",
                         "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [endpoint], "conditions": {"ready": True}}],
            "ports": endpoint_ports,
        },
    ]


def start_dns(run, processes):
    corefile = run.data / "Corefile"
    corefile.write_text(f"""cluster.local:53 {{
  bind {NODE_ADDRESS}
  errors
  log
  prometheus {NODE_ADDRESS}:9153
  kubernetes cluster.local {{
    kubeconfig {run.kubeconfig} bed
  }}
}}
""")
    processes.start("coredns", [BIN / "coredns", "-conf", corefile])
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"},
             {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    apply(run, *service("kube-system", "kube-dns", DNS_SERVICE, ports, ports))


def start_kwok(run, processes):
    """Only nodes that say so are faked: with all of them it would fake the real node's pods too."""
    stages = run.data / "kwok.yaml"
    stages.write_bytes(subprocess.run([BIN / "kwok", "stages"], check=True,
                                      stdout=subprocess.PIPE).stdout)
    processes.start("kwok", [
        BIN / "kwok", f"--kubeconfig={run.kubeconfig}", f"--config={stages}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={FAKE_NODE_ANNOTATION}=fake",
        "--cidr=10.245.0.0/16", f"--node-ip={NODE_ADDRESS}", "--node-lease-duration-seconds=40"])


class Operator:
    """The KubeRay operator; a story may have another version in its place (control.py)."""

    def __init__(self, run, processes):
        self.run, self.processes = run, processes
        self.name = None

    def start(self, version=tools.KUBERAY, name="kuberay-operator"):
        """The CRDs of a version and its operator, with a log of that name."""
        bases = tools.kuberay_config(version) / "crd" / "bases"
        kubectl(self.run, "apply", "--server-side", "--force-conflicts", "-f", str(bases))
        for crd in ("rayclusters", "rayjobs", "rayservices"):
            kubectl(self.run, "wait", "--for=condition=Established", f"crd/{crd}.ray.io")
        self.processes.start(name, [
            BIN / f"kuberay-operator-{version}", "--metrics-addr=127.0.0.1:8090",
            "--health-probe-bind-address=127.0.0.1:8091", "--enable-leader-election=false"])
        self.name = name

    def wait(self):
        self.processes.wait_for(self.name, answers("http://127.0.0.1:8091/readyz"), 60)

    def change(self, version, name):
        if self.name:
            self.processes.stop(self.name)
            self.name = None
        if version:
            self.start(version, name)
            self.wait()


def fake_node(name, capacity=None, taints=None, labels=None):
    """A node that only kwok knows: pods on it become Running without running."""
    resources = {"cpu": "64", "memory": "512Gi", "pods": "250", "ephemeral-storage": "1Ti"}
    resources.update(capacity or {})
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {FAKE_NODE_ANNOTATION: "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {"type": "fake", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
                       **(labels or {})},
        },
        "spec": {"taints": taints or []},
        "status": {"allocatable": resources, "capacity": resources},
    }


def add_fake_nodes(run, count):
    """Nodes fake-0...; tainted, so that only pods that ask for them land there."""
    taint = {"key": FAKE_NODE_ANNOTATION, "value": "fake", "effect": "NoSchedule"}
    nodes = [fake_node(f"fake-{number}", taints=[taint]) for number in range(count)]
    if nodes:
        manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes})
        kubectl(run, "create", "-f", "-", stdin=manifest)


def start_all(run, processes, fake_nodes, say):
    start_etcd(run, processes)
    say("etcd")
    start_apiserver(run, processes)
    say("kube-apiserver")
    start_controllers(run, processes)
    start_containerd(run, processes)
    say("containerd")
    start_kubelet(run, processes)
    start_proxy(run, processes)
    start_kwok(run, processes)
    start_dns(run, processes)
    operator = Operator(run, processes)
    operator.start()
    say("kube-controller-manager, kube-scheduler, kubelet, kube-proxy, coredns, kwok")
    api = Api(run)
    processes.wait_for("kubelet", lambda: api.node_is_ready(NODE), 60)
    say(f"node {NODE} ready")
    operator.wait()
    add_fake_nodes(run, fake_nodes)
    say(f"kuberay-operator, {fake_nodes} fake nodes")
    return operator
