"""rayfix doctor and rayfix audit against an API server that holds the objects of objects/*.json."""

import base64
import json
import os
import shutil
import subprocess
import unittest

import fake_api
from fake_api import FakeApi, answering, status

RAYFIX = os.environ["RAYFIX"]
OBJECTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "objects")
TOKEN = "a-token-for-tests"
OWN = "/api/v1/namespaces/rayfix-system"
HEADER = "apiVersion: rayfix.io/v1alpha1\nkind: Configuration\n"
# What objects/ray.json stays below.
HIGH = "validators:\n  max-workers: {max: 1000}\n  max-gpus: {max: 10000}\n"
PLURALS = {
    "Namespace": "/api/v1/namespaces", "Node": "/api/v1/nodes", "Pod": "/api/v1/pods",
    "ConfigMap": "/api/v1/configmaps", "Secret": "/api/v1/secrets",
    "Service": "/api/v1/services",
    "Deployment": "/apis/apps/v1/deployments",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "MutatingWebhookConfiguration":
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration":
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "PodDisruptionBudget": "/apis/policy/v1/poddisruptionbudgets",
    "RayCluster": "/apis/ray.io/v1/rayclusters", "RayJob": "/apis/ray.io/v1/rayjobs",
    "RayService": "/apis/ray.io/v1/rayservices", "RayCronJob": "/apis/ray.io/v1/raycronjobs",
}


def path_of(obj):
    base, plural = PLURALS[obj["kind"]].rsplit("/", 1)
    namespace = obj["metadata"].get("namespace")
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{base}{inside}/{plural}/{obj['metadata']['name']}"


def read(name):
    with open(os.path.join(OBJECTS, name + ".json")) as file:
        return json.load(file)


class Case(unittest.TestCase):
    def setUp(self):
        self.api = FakeApi()
        self.api.token = TOKEN
        self.api.collections.update(PLURALS.values())
        self.api.collections.update(f"{part}/pods" for part in (
            OWN, "/api/v1/namespaces/kube-system"))
        self.write_kubeconfig()
        self.put({"kind": "Namespace", "apiVersion": "v1", "metadata": {
            "name": "kube-system", "uid": fake_api.UID,
            "labels": {"kubernetes.io/metadata.name": "kube-system"}}})

    def tearDown(self):
        self.api.stop()
        shutil.rmtree(self.api.folder)

    def write_kubeconfig(self, user=None):
        self.kubeconfig = os.path.join(self.api.folder, "config")
        with open(self.kubeconfig, "w") as file:  # YAML, as kubectl writes it
            file.write(f"""apiVersion: v1
kind: Config
current-context: test
contexts:
- context: {{cluster: fake, user: me}}
  name: test
clusters:
- name: fake
  cluster:
    server: {self.api.url}
    certificate-authority: api.crt
users:
- name: me
  user: {json.dumps(user or {"token": TOKEN})}
""")

    def put(self, *objects):
        for obj in objects:
            self.api.put(path_of(obj), **obj)

    def run_verb(self, *args, code=None, env=None):
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith(("KUBE", "HOME"))}
        environment.update({"KUBECONFIG": self.kubeconfig} if env is None else env)
        done = subprocess.run([RAYFIX, *args], capture_output=True, text=True, timeout=60,
                              env=environment, check=False)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn(TOKEN, done.stdout + done.stderr)
        return done

    def json_of(self, *args, code=None):
        return json.loads(self.run_verb(*args, "-o", "json", code=code).stdout)


class Doctor(Case):
    def findings(self, code=None):
        return self.json_of("doctor", code=code)["findings"]

    def install(self):
        """A sound installation, with a certificate of this minute."""
        certificate, key = fake_api.make_certificate(self.api.folder, "served",
                                                     ("rayfix.rayfix-system.svc",))
        with open(certificate, "rb") as file:
            bundle = base64.b64encode(file.read()).decode()
        objects = read("installation")
        for obj in objects:
            for hook in obj.get("webhooks", []):
                hook["clientConfig"]["caBundle"] = bundle
            if obj["kind"] == "Secret":
                obj["data"] = {"tls.crt": bundle, "ca.crt": bundle, "tls.key": "c2VjcmV0"}
                obj["metadata"]["annotations"] = {"rayfix.io/cluster-uid": fake_api.UID}
        self.put(*objects)
        return objects

    def answer_access(self, allowed=lambda attributes: True):
        def behaviour(handler):
            if handler.command == "POST":
                asked = json.loads(handler.body)
                asked["status"] = {"allowed": allowed(asked["spec"]["resourceAttributes"])}
                handler.send(201, asked)
            elif handler.url_path == "/version":
                handler.send(200, {"major": "1", "minor": "36", "gitVersion": "v1.36.3"})
            else:
                self.api.store(handler)
        self.api.default = behaviour

    def setUp(self):
        super().setUp()
        self.answer_access()

    def test_nothing_is_found_in_a_sound_cluster(self):
        self.install()
        done = self.run_verb("doctor", code=0)
        self.assertIn("0 errors, 0 warnings", done.stdout)
        self.assertIn(f"UID {fake_api.UID}", done.stdout)
        report = self.json_of("doctor", code=0)
        self.assertEqual(report["findings"], [])
        self.assertEqual(report["cluster"]["origin"], f"context test of {self.kubeconfig}")
        self.assertEqual({r[0] for r in self.api.seen()} - {"GET"}, {"POST"})  # the questions

    def test_every_recorded_fault_is_found(self):
        self.install()
        self.put(*read("faults"))
        wanted = read("faults.wanted")
        found = [[f["severity"], f["check"], f["where"]] for f in self.findings(code=1)]
        self.assertEqual(sorted(found), sorted(wanted))
        for finding in self.findings():
            for part in ("what", "why", "fix"):
                self.assertTrue(finding[part], finding)

    def test_not_installed(self):
        found = self.findings(code=1)
        self.assertEqual([f["check"] for f in found], ["installation"] * 3)

    def test_a_permission_that_is_missing(self):
        self.install()
        self.answer_access(lambda a: (a["verb"], a["resource"]) != ("update", "secrets"))
        found = self.findings(code=1)
        self.assertEqual([f["what"] for f in found],
                         ["may not update secrets/rayfix-certificates in rayfix-system"])

    def test_a_bundle_of_another_ca(self):
        objects = self.install()
        other, _ = fake_api.make_certificate(self.api.folder, "other")
        with open(other, "rb") as file:
            bundle = base64.b64encode(file.read()).decode()
        configuration = next(o for o in objects if o["kind"].startswith("Mutating"))
        configuration["webhooks"][0]["clientConfig"]["caBundle"] = bundle
        self.put(configuration)
        found = self.findings(code=1)
        self.assertEqual([(f["severity"], f["check"]) for f in found], [("error", "certificate")])
        self.assertIn("the API server refuses the serving certificate", found[0]["what"])

    def test_a_secret_of_another_cluster(self):
        objects = self.install()
        secret = next(o for o in objects if o["kind"] == "Secret")
        secret["metadata"]["annotations"] = {"rayfix.io/cluster-uid": "other"}
        self.put(secret)
        self.assertEqual([f["check"] for f in self.findings(code=1)], ["identity"])

    def test_what_may_not_be_looked_at_is_a_note(self):
        self.install()

        def forbids(handler):
            if handler.url_path.endswith(("/nodes", "/rayfix-certificates")):
                handler.send(403, status(403, "Forbidden", "no"))
            else:
                self.answer_access()
                self.api.default(handler)
                self.api.default = forbids
        self.api.default = forbids
        found = self.findings(code=0)
        self.assertEqual([(f["severity"], f["check"]) for f in found],
                         [("note", "not-checked")] * 2)

    def test_nothing_may_be_looked_at(self):
        self.install()

        def forbids(handler):
            if handler.url_path == "/version":
                handler.send(200, {"major": "1", "minor": "36", "gitVersion": "v1.36.3"})
            else:
                handler.send(403, status(403, "Forbidden", "no"))
        self.api.default = self.api.identity = forbids
        found = self.findings(code=3)
        self.assertEqual({(f["severity"], f["check"]) for f in found}, {("note", "not-checked")})

    def test_a_server_without_a_token_needs_no_permission(self):
        """As with cert-manager, which renews the certificate and writes the bundles."""
        objects = self.install()
        self.answer_access(lambda attributes: False)
        self.assertEqual({f["check"] for f in self.findings(code=1)}, {"permissions"})
        deployment = next(o for o in objects if o["kind"] == "Deployment")
        deployment["spec"]["template"]["spec"]["automountServiceAccountToken"] = False
        configuration = next(o for o in objects if o["kind"].startswith("Mutating"))
        self.put(deployment)
        self.assertEqual(self.findings(code=0), [])
        configuration["webhooks"][0]["clientConfig"]["caBundle"] = ""
        self.put(configuration)
        [finding] = self.findings(code=1)
        self.assertEqual(finding["what"], "its caBundle is empty")
        self.assertIn("cainjector", finding["fix"])

    def test_pods_of_two_versions(self):
        objects = self.install()
        pod = next(o for o in objects if o["kind"] == "Pod")
        pod["spec"]["containers"][0]["image"] = "ghcr.io/rayfix/rayfix:0.0.9"
        self.put(pod)
        [finding] = self.findings(code=0)
        self.assertEqual((finding["check"], finding["severity"]), ("version", "warning"))
        pod["metadata"]["deletionTimestamp"] = "2026-11-30T00:00:00Z"
        self.put(pod)
        self.assertEqual(self.findings(code=0), [], "it is on its way out")

    def test_scaled_down(self):
        objects = self.install()
        deployment = next(o for o in objects if o["kind"] == "Deployment"
                          and o["metadata"]["name"] == "rayfix")
        for replicas, code, what in ((0, 1, "is scaled to no replica"), (1, 0, "has one replica")):
            deployment["spec"]["replicas"] = replicas
            deployment["status"]["readyReplicas"] = replicas
            self.put(deployment)
            [finding] = self.findings(code=code)
            self.assertEqual(finding["what"], what)
            self.assertEqual(finding["fix"],
                             "kubectl -n rayfix-system scale deployment rayfix --replicas=2")

    def test_no_api_server(self):
        self.api.stop()
        done = self.run_verb("doctor", code=3)
        self.assertIn(self.api.url, done.stderr)
        self.assertIn("context test of", done.stderr)


class Audit(Case):
    def test_namespaces(self):
        self.put(*read("ray"))
        report = self.json_of("audit", code=1)
        wanted = read("ray.wanted")
        for namespace in report["namespaces"]:
            namespace["violations"] = sorted(
                [v["kind"], v["name"], v["rule"], v["action"]] for v in namespace["violations"])
        self.assertEqual(report["namespaces"], wanted)
        self.assertEqual(report["notAudited"], [])
        text = self.run_verb("audit", code=1).stdout
        self.assertIn("team-a RayCluster/greedy: deny max-workers (V04): ", text)
        self.assertRegex(text, r"(?m)^team-a +\d+ +1 +")

    def test_one_namespace(self):
        self.put(*read("ray"))
        report = self.json_of("audit", "-n", "team-b", code=0)
        self.assertEqual([n["namespace"] for n in report["namespaces"]], ["team-b"])

    def configure(self, text, namespace="rayfix-system", key="config.yaml"):
        self.put({"kind": "ConfigMap", "apiVersion": "v1", "data": {key: text},
                  "metadata": {"name": "rayfix", "namespace": namespace}})

    def test_the_configuration_of_a_file(self):
        self.put(*read("ray"))
        self.configure(HEADER + "validators: {max-workers: {max: 1}}\n")
        path = os.path.join(self.api.folder, "rayfix.yaml")
        with open(path, "w") as file:
            file.write(HEADER + HIGH)
        report = self.json_of("audit", "--config", path, code=0)
        self.assertEqual(report["configuration"], {"source": "file", "name": path, "note": ""})
        self.assertEqual(self.api.seen(part="configmaps"), [])

    def test_the_configuration_of_the_installation(self):
        self.put(*read("ray"))
        self.run_verb("audit", code=1)
        self.configure(HEADER + HIGH)
        report = self.json_of("audit", code=0)
        name = "ConfigMap/rayfix in rayfix-system"
        self.assertEqual(report["configuration"],
                         {"source": "config-map", "name": name, "note": ""})
        text = self.run_verb("audit", code=0).stdout
        self.assertTrue(text.startswith(f"configuration: {name}\n"), text)
        self.assertNotIn("note:", text)

    def test_the_configuration_of_an_installation_elsewhere(self):
        self.put(*read("ray"))
        self.configure(HEADER + HIGH, namespace="platform")
        report = self.json_of("audit", "--rayfix-namespace", "platform", code=0)
        self.assertEqual(report["configuration"]["name"], "ConfigMap/rayfix in platform")
        self.run_verb("audit", code=1)

    def test_without_a_configuration_the_defaults_are_told(self):
        note = 'get configmaps/rayfix in rayfix-system: 404 NotFound: '
        report = self.json_of("audit", code=0)["configuration"]
        self.assertEqual((report["source"], report["name"]), ("defaults", ""))
        self.assertTrue(report["note"].startswith(note), report["note"])
        first, second, *_ = self.run_verb("audit", code=0).stdout.splitlines()
        self.assertEqual(first, "configuration: defaults")
        self.assertTrue(second.startswith("note: not that of the installation: " + note), second)

    def test_a_configuration_that_may_not_be_read(self):
        self.put(*read("ray"))
        self.configure(HEADER + HIGH)
        self.api.next(answering(403, status(403, "Forbidden", "no")))
        report = self.json_of("audit", code=1)["configuration"]
        self.assertEqual(report, {
            "source": "defaults", "name": "",
            "note": "get configmaps/rayfix in rayfix-system: 403 Forbidden: no"})

    def refused(self, *parts):
        done = self.run_verb("audit", code=2)
        self.assertEqual(done.stdout, "")
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_a_configuration_with_a_mistake(self):
        place = "ConfigMap/rayfix in rayfix-system: config.yaml"
        self.configure(HEADER + "validators:\n  max-workers: {maxx: 1}\n")
        self.refused(f"{place}:4:17: validators.max-workers.maxx: ")
        self.configure(HEADER + "validators: [\n")
        self.refused(f"{place}:4:")
        self.configure("")
        self.refused(f"{place}:1:1: ")
        self.configure(HEADER, key="rayfix.yaml")
        self.refused("ConfigMap/rayfix in rayfix-system has no key config.yaml")

    def test_a_configuration_that_cannot_be_had(self):
        self.put(*read("ray"))
        self.api.next(answering(401, status(401, "Unauthorized", "no")))
        done = self.run_verb("audit", code=3)
        self.assertIn("get configmaps/rayfix in rayfix-system: 401 Unauthorized", done.stderr)

    def test_nothing_there(self):
        self.assertIn("No Ray resource", self.run_verb("audit", code=0).stdout)

    def test_without_kuberay_only_budgets_are_there(self):
        self.api.collections = {PLURALS["PodDisruptionBudget"]}
        self.assertEqual(self.json_of("audit", code=0)["notAudited"], [])

    def test_forbidden(self):
        self.put(*read("ray"))
        self.api.next(self.api.store, answering(403, status(403, "Forbidden", "no")))
        done = self.json_of("audit")
        self.assertEqual(done["notAudited"], ["list rayclusters: 403 Forbidden: no"])
        self.api.default = answering(403, status(403, "Forbidden", "no"))
        self.run_verb("audit", code=3)


class Kubeconfigs(Case):
    def fails(self, *parts, env=None, args=()):
        done = self.run_verb("audit", *args, code=2, env=env)
        self.assertEqual(done.stdout, "")
        for part in ("rayfix audit: ", *parts):
            self.assertIn(part, done.stderr)

    def test_refused_fields_are_named(self):
        self.write_kubeconfig({"exec": {"command": "aws"}})
        self.fails(self.kubeconfig, 'users "me": user.exec: ')

    def test_files_that_are_no_kubeconfig(self):
        for text, part in (("a: [", ":1:"), ("- x\n", "found a list"), ("a: 1\n---\nb: 2\n",
                                                                        "second document"),
                           ("", "current-context: found none"), ("kind: Pod\n", "wanted Config")):
            with open(self.kubeconfig, "w") as file:
                file.write(text)
            self.fails(self.kubeconfig, part)

    def test_where_it_is_looked_for(self):
        nothing = os.path.join(self.api.folder, "nothing")
        home = os.path.join(self.api.folder, "home")
        os.makedirs(os.path.join(home, ".kube"))
        self.fails("no kubeconfig: ", env={"HOME": home})
        self.fails("no kubeconfig: ", env={})
        self.fails("KUBECONFIG: found no file", env={"KUBECONFIG": nothing})
        self.fails(nothing, "No such file", env={}, args=("--kubeconfig", nothing))
        self.run_verb("audit", code=0, env={"KUBECONFIG": f"{nothing}:{self.kubeconfig}"})
        self.run_verb("audit", "--kubeconfig", self.kubeconfig, code=0, env={"KUBECONFIG": nothing})
        shutil.copy(self.kubeconfig, os.path.join(home, ".kube", "config"))
        shutil.copy(self.api.certificate, os.path.join(home, ".kube"))
        self.run_verb("audit", code=0, env={"HOME": home})

    def test_a_list_is_merged(self):
        second = os.path.join(self.api.folder, "second")
        with open(second, "w") as file:
            file.write("contexts: [{name: other, context: {cluster: fake, user: me}}]\n"
                       "current-context: other\n"
                       "clusters: [{name: fake, cluster: {server: 'https://192.0.2.1'}}]\n")
        both = {"KUBECONFIG": f"{self.kubeconfig}:{second}"}
        self.run_verb("audit", "--context", "other", code=0, env=both)
        self.fails('--context names "none", which is not in contexts (test, other)', env=both,
                   args=("--context", "none"))


if __name__ == "__main__":
    unittest.main()
