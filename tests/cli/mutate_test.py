#!/usr/bin/env python3
"""`rayfix mutate`: manifests in, manifests out. --update rewrites the golden file."""

import copy
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

RAYFIX = os.environ["RAYFIX"]
FOLDER = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(FOLDER, "dns_only.yaml")
MIXED = os.path.join(FOLDER, "mixed.yaml")
PODS = sorted(glob.glob(os.path.join(FOLDER, "../../../shared/pods/*.json")) +
              glob.glob(os.path.join(FOLDER, "../../examples/*.json")) +
              glob.glob(os.path.join(FOLDER, "../../examples/*.yaml")))


def mutate(*arguments, stdin=b"", **options):
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run([RAYFIX, "mutate", *arguments], input=stdin, stderr=subprocess.PIPE,
                          timeout=120, **{"stdout": subprocess.PIPE, **options})
    done.stderr = done.stderr.decode(errors="replace")
    return done


def objects(*arguments, stdin=b""):
    """What -o json prints, as a list."""
    done = mutate("-o", "json", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    if not done.stdout:
        return []
    root = json.loads(done.stdout)
    return root["items"] if root["kind"] == "List" and "metadata" not in root else [root]


def pod(name="w", role="worker", **metadata):
    labels = {"ray.io/node-type": role} if role else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels, **metadata},
            "spec": {"containers": [{"name": "ray-worker", "image": "rayproject/ray:2.46.0"}]}}


def apply_patch(target, patch):
    """RFC 6902 add, replace and remove, written for this test alone."""
    target = copy.deepcopy(target)
    for operation in patch:
        *parents, last = [part.replace("~1", "/").replace("~0", "~")
                          for part in operation["path"].split("/")[1:]]
        place = target
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if operation["op"] == "test":
            continue
        if isinstance(place, list):
            index = len(place) if last == "-" else int(last)
            if operation["op"] == "add":
                place.insert(index, operation["value"])
            elif operation["op"] == "replace":
                place[index] = operation["value"]
            else:
                del place[index]
        elif operation["op"] == "remove":
            del place[last]
        else:
            place[last] = operation["value"]
    return target


class Golden(unittest.TestCase):
    maxDiff = None

    def golden(self, name, *arguments, code=0):
        done = mutate("--config", CONFIG, *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        found = done.stdout.decode().replace(FOLDER, "FOLDER")
        path = os.path.join(FOLDER, name)
        if "--update" in sys.argv:
            with open(path, "w", encoding="utf-8") as file:
                file.write(found)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(found, file.read())
        return done

    def test_yaml(self):
        done = self.golden("mixed.out.yaml", "-f", MIXED)
        self.assertEqual(done.stderr.splitlines(),
                         ["pod/worker: dns-config", "pod/other: unchanged (not a Ray node)",
                          "pod/head: dns-config"])

    def test_json(self):
        self.golden("mixed.out.json", "-f", MIXED, "-o", "json")

    def test_patch(self):
        self.golden("mixed.out.patch", "-f", MIXED, "-o", "patch")

    def test_diff(self):
        self.golden("mixed.out.diff", "-f", MIXED, "-o", "diff", code=1)


class Meaning(unittest.TestCase):
    def test_the_output_is_read_as_what_it_was(self):
        """YAML out, read again, is the JSON out; and a second run changes nothing."""
        for path in PODS + [MIXED]:
            done = mutate("-f", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(objects("-f", "-", stdin=done.stdout), objects("-f", path), path)
            again = mutate("-f", "-", stdin=done.stdout)
            self.assertEqual(again.stdout, done.stdout, path)
            self.assertEqual(mutate("-o", "patch", "-f", "-", stdin=done.stdout).stdout, b"", path)
            self.assertEqual(mutate("-o", "diff", "-f", "-", stdin=done.stdout).returncode, 0, path)

    def test_patch_gives_the_object(self):
        for path in PODS:
            if not path.endswith(".json"):
                continue
            with open(path, encoding="utf-8") as file:
                before = json.load(file)
            lines = mutate("-o", "patch", "-f", path).stdout.splitlines()
            patch = json.loads(lines[0])["patch"] if lines else []
            self.assertEqual([apply_patch(before, patch)], objects("-f", path), path)

    def test_others_pass_unchanged(self):
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
                      "spec": {"template": pod(), "n": [1, 1.5, True, None, "", {}, []]}}
        other = dict(pod(), apiVersion="example.com/v1")
        text = json.dumps(deployment) + json.dumps(other)
        self.assertEqual(objects("-f", "-", stdin=text), [deployment, other])
        self.assertEqual(objects("-f", "-", stdin=mutate("-f", "-", stdin=text).stdout),
                         [deployment, other])

    def test_unchanged_pod_keeps_its_text(self):
        text = ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  z: 0644\n  a: yes\n"
                "  m: ~\n  s: \"0644\"\n")
        self.assertEqual(mutate("-f", "-", stdin=text).stdout.decode(), text)

    def test_numbers_as_kubernetes_reads_them(self):
        text = json.dumps(pod(role=None)).replace('"spec"', '"n": [1e3, 0.10, 12345678901], "spec"')
        self.assertIn(b'"n": [\n        1000,\n        0.1,\n        12345678901\n    ]',
                      mutate("-o", "json", "-f", "-", stdin=text).stdout)

    def test_namespace(self):
        """-n is for pods that name none: namespace settings show which one was used."""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
            config.write("apiVersion: rayfix.io/v1alpha1\nkind: Configuration\nexempt:\n"
                         "  namespaces: [quiet]\n")
            config.flush()
            own = json.dumps(pod(namespace="quiet"))
            none = json.dumps(pod())
            for text, flags, changed in ((own, [], False), (own, ["-n", "loud"], False),
                                         (none, [], True), (none, ["-n", "quiet"], False)):
                done = mutate("--config", config.name, "-o", "patch", "-f", "-", *flags, stdin=text)
                self.assertEqual(bool(done.stdout), changed, (text, flags, done.stderr))
            line = json.loads(mutate("-o", "patch", "-n", "loud", "-f", "-", stdin=none).stdout)
            self.assertEqual(line["namespace"], "loud")

    def test_odd_pods(self):
        """Pods that no API server would take: never a crash."""
        for spec in ({}, {"containers": "x"}, {"containers": [1, None]}, {"containers": {}}, [], None,
                     "x", {"containers": [{"name": 1}], "tolerations": "none", "dnsConfig": 3}):
            for metadata in ({"labels": {"ray.io/node-type": "worker"}}, [], None, {"labels": []},
                             {"name": 1, "namespace": [], "labels": {"ray.io/node-type": "worker"}}):
                odd = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
                done = mutate("-f", "-", stdin=json.dumps(odd))
                self.assertEqual(done.returncode, 0, (odd, done.stderr))

    def test_nested_list(self):
        inner = {"apiVersion": "v1", "kind": "List", "items": [pod("a"), 1, "x", None]}
        outer = {"apiVersion": "v1", "kind": "List", "items": [inner, pod("b")], "metadata": {}}
        done = mutate("--config", CONFIG, "-f", "-", stdin=json.dumps(outer))
        self.assertEqual(done.stderr.split("\n")[:-1], ["pod/a: dns-config", "pod/b: dns-config"])

    def test_no_newline_at_the_end(self):
        text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    x"
        self.assertEqual(objects("-f", "-", stdin=text)[0]["data"]["a"], "x\n")

    def test_crlf_and_byte_order_mark(self):
        with open(MIXED, encoding="utf-8") as file:
            text = file.read()
        plain = objects("-f", "-", stdin=text)
        self.assertEqual(objects("-f", "-", stdin=text.replace("\n", "\r\n")), plain)
        self.assertEqual(objects("-f", "-", stdin=b"\xef\xbb\xbf" + text.encode()), plain)
        self.assertEqual(objects("-f", "-", stdin=text.encode("utf-16")), plain)

    def test_nothing(self):
        for text in ("", "\n", "# c\n", "---\n---\n", "null"):
            for output in ("yaml", "json", "patch", "diff"):
                done = mutate("-o", output, "-f", "-", stdin=text)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", ""))


class Diff(unittest.TestCase):
    def test_patch_program_accepts_it(self):
        """Applying the diff with patch(1), where there is one, gives the new YAML."""
        for path in PODS:
            if len(objects("-f", path)) != 1:
                continue
            with open(path, "rb") as file:
                name = file.name
            with tempfile.TemporaryDirectory() as folder:
                config = os.path.join(folder, "off.yaml")
                with open(config, "w", encoding="utf-8") as file:
                    file.write("apiVersion: rayfix.io/v1alpha1\nkind: Configuration\n"
                               "exempt: {namespaces: [\"*\"]}\n")
                before = mutate("--config", config, "-f", name).stdout
                after = mutate("-f", name).stdout
                diff = mutate("-o", "diff", "-f", name).stdout
                self.assertEqual(self.patched(before, diff), after, path)

    def patched(self, before, diff):
        """Applies a unified diff; every context line must match."""
        old = before.splitlines(keepends=True)
        new, at = [], 0
        for line in diff.splitlines(keepends=True)[2:]:
            if line.startswith(b"@@"):
                first, count = line.split()[1][1:].split(b",")
                start = int(first) - (1 if int(count) else 0)
                new += old[at:start]
                at = start
            elif line[:1] == b"+":
                new.append(line[1:])
            else:
                self.assertEqual(old[at], line[1:])
                at += 1
                if line[:1] == b" ":
                    new.append(line[1:])
        return b"".join(new + old[at:])


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.mkdir(self.path("sub"))
        for name in ("b.yml", "a.json", "c.yaml", "sub/d.yaml", "note.txt"):
            with open(self.path(name), "w", encoding="utf-8") as file:
                json.dump(pod(name), file)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def names(self, *arguments):
        return [item["metadata"]["name"] for item in objects(*arguments)]

    def test_directory(self):
        self.assertEqual(self.names("-f", self.folder.name), ["a.json", "b.yml", "c.yaml"])
        self.assertEqual(self.names("-R", "-f", self.folder.name + "/"),
                         ["a.json", "b.yml", "c.yaml", "sub/d.yaml"])

    def test_several(self):
        self.assertEqual(self.names("-f", self.path("c.yaml"), "--filename", self.path("note.txt")),
                         ["c.yaml", "note.txt"])

    def test_unreadable(self):
        os.mkdir(self.path("empty"))
        for path, message in ((self.path("none.yaml"), "No such file"),
                              (self.path("empty"), "no *.yaml, *.yml or *.json")):
            done = mutate("-f", path)
            self.assertEqual((done.returncode, done.stdout), (3, b""))
            self.assertIn(f"{path}: {message}", done.stderr)

    def test_bad_manifest_prints_nothing(self):
        with open(self.path("z.yaml"), "w", encoding="utf-8") as file:
            file.write("a: 1\nb: [\n")
        done = mutate("-f", self.folder.name)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(self.path("z.yaml") + ":3:1: ", done.stderr)

    def test_bad_texts(self):
        for text in ("a:\n\tb: 1", b"a: \xff", b"\x00", "[" * 100000, "{\"a\":" * 100000, "- a", "x",
                     "a: b: c", "{", "a: *x", b"\xff\xfe\x00", "a: &a [*a]"):
            done = mutate("-f", "-", stdin=text)
            self.assertEqual((done.returncode, done.stdout), (2, b""), (text[:20], done.stderr))
            self.assertRegex(done.stderr, r"^rayfix mutate: standard input:\d+:\d+: ")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(mutate("-f", self.path("a.json"), stdout=full).returncode, 3)
        reader, writer = os.pipe()
        os.close(reader)
        done = mutate("-f", self.path("a.json"), stdout=writer)
        os.close(writer)
        self.assertEqual(done.returncode, 3)
        self.assertIn("standard output: Broken pipe", done.stderr)

    def test_too_large_a_pod_is_denied_and_left_out(self):
        large = pod("large")
        large["metadata"]["annotations"] = {"a": "x" * (33 << 20)}
        with open(self.path("a.json"), "w", encoding="utf-8") as file:
            json.dump(large, file)
        done = mutate("-f", self.path("a.json"), "-f", self.path("b.yml"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("pod/large: denied: ", done.stderr)
        self.assertEqual([item["metadata"]["name"] for item in objects("-f", "-", stdin=done.stdout)],
                         ["b.yml"])


class Damage(unittest.TestCase):
    def test_random_bytes(self):
        """Damaged manifests: a proper exit code, and what is printed can be read again."""
        with open(MIXED, "rb") as file:
            good = file.read()
        dice = random.Random(1)
        for _ in range(60):
            text = bytearray(good)
            for _ in range(dice.randint(1, 6)):
                at = dice.randrange(len(text))
                text[at:at + dice.randint(0, 3)] = bytes(dice.choices(b"\n -:[]{},&*!|>'\"#\t\x00\xff0y", k=2))
            done = mutate("-f", "-", stdin=bytes(text))
            self.assertIn(done.returncode, (0, 1, 2), (bytes(text), done.stderr))
            if done.returncode == 0:
                self.assertEqual(mutate("-f", "-", stdin=done.stdout).stdout, done.stdout)


if __name__ == "__main__":
    unittest.main(argv=[argument for argument in sys.argv if argument != "--update"])
