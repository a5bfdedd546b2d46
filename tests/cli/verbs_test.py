#!/usr/bin/env python3
"""The verbs of the built program: lists, help, flags, exit codes, review, rules, version."""

import glob
import json
import os
import subprocess
import tempfile
import unittest

RAYFIX = os.environ["RAYFIX"]
SOURCE = os.getcwd()
VERBS = ["serve", "review", "mutate", "rules", "audit", "doctor", "config", "certs", "version"]
BODY_MAX = 32 << 20


def rayfix(*arguments, stdin=b"", **options):
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run([RAYFIX, *arguments], input=stdin, stderr=subprocess.PIPE,
                          timeout=120, **{"stdout": subprocess.PIPE, **options})
    done.stderr = done.stderr.decode()
    return done


def review_of(pod, **more):
    pods = {"group": "", "version": "v1", "resource": "pods"}
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    request = {"uid": "u-1", "kind": kind, "resource": pods, "namespace": "n",
               "operation": "CREATE", "userInfo": {}, "object": pod}
    request.update(more)
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


POD = {"apiVersion": "v1", "kind": "Pod",
       "metadata": {"name": "w", "labels": {"ray.io/node-type": "worker"}},
       "spec": {"containers": [{"name": "ray-worker", "image": "rayproject/ray:2.46.0"}]}}


class Verbs(unittest.TestCase):
    def test_list(self):
        for arguments in ([], ["help"], ["-h"], ["--help"]):
            done = rayfix(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for verb in VERBS:
                self.assertIn(f"\n  {verb} ", done.stdout.decode())

    def test_help_of_each_verb(self):
        for verb in VERBS:
            done = rayfix(verb, "-h")
            self.assertEqual((done.returncode, done.stderr), (0, ""), verb)
            self.assertIn(f"rayfix {verb}", done.stdout.decode())
            self.assertRegex(done.stdout.decode(), "(?i)example")
            self.assertEqual(rayfix("help", verb).stdout, done.stdout)
            self.assertEqual(rayfix(verb, "--help").stdout, done.stdout)

    def test_unknown_verb(self):
        done = rayfix("mutat")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn('unknown verb "mutat"; did you mean mutate?', done.stderr)
        self.assertEqual(rayfix("help", "xyzzy").returncode, 2)
        self.assertNotIn("did you mean", rayfix("xyzzy").stderr)

    def test_wrong_flags(self):
        for arguments, message in (
                (["review", "--phas", "mutate", "x"], 'unexpected argument "x"'),
                (["review", "--phases=mutate"], "unknown flag --phases=mutate; did you mean --phase?"),
                (["review", "--phase", "mutating"], '"mutating" is none of: mutate, validate'),
                (["review", "--phase"], "--phase needs a value"),
                (["rules", "-o"], "-o needs a value"),
                (["rules", "-x"], "unknown flag -x"),
                (["rules", "-o", "yaml"], '"yaml" is none of: table, json'),
                (["mutate", "--recursive=yes"], "takes no value"),
                (["mutate"], "which manifest?"),
                (["version", "now"], 'unexpected argument "now"')):
            done = rayfix(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, b""), arguments)
            self.assertIn(message, done.stderr)

    def test_version(self):
        about = json.loads(rayfix("version", "-o", "json").stdout)
        self.assertRegex(about["version"], r"^\d+\.\d+\.\d+$")
        self.assertTrue(about["commit"])
        self.assertTrue(about["compiler"])
        for library in ("libmicrohttpd", "gnutls", "openssl", "yyjson", "libyaml"):
            self.assertRegex(about["libraries"][library], r"^\d+\.\d+")
        self.assertIn(about["version"], rayfix("version").stdout.decode())
        self.assertEqual(rayfix("--version").stdout, rayfix("version").stdout)

    def test_rules(self):
        rules = json.loads(rayfix("rules", "-o", "json").stdout)
        files = glob.glob(os.path.join(SOURCE, "mutators", "*.c"))
        names = sorted(os.path.basename(name)[:-2].replace("_", "-") for name in files)
        self.assertEqual(sorted(rule["name"] for rule in rules if rule["kind"] == "mutator"), names)
        files = glob.glob(os.path.join(SOURCE, "validators", "*.c"))
        names = sorted(os.path.basename(name)[:-2].replace("_", "-") for name in files)
        self.assertEqual(sorted(rule["name"] for rule in rules if rule["kind"] == "validator"),
                         names)
        table = rayfix("rules").stdout.decode()
        for rule in rules:
            if rule["kind"] == "mutator":
                self.assertIn(rule["defaultMode"], ("enforce", "audit", "off"))
            else:
                self.assertIn(rule["defaultAction"], ("deny", "warn", "audit", "off"))
            self.assertIn(rule["summary"], table)
            for option in rule["options"]:
                self.assertTrue(option["key"] and option["type"] and option["help"])
                self.assertIn("default", option)


class Review(unittest.TestCase):
    def test_allowed_with_patch(self):
        done = rayfix("review", stdin=json.dumps(review_of(POD)))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        response = json.loads(done.stdout)["response"]
        self.assertEqual((response["uid"], response["allowed"]), ("u-1", True))
        self.assertIn("patch", response)

    def test_validate_says_nothing_to_patch(self):
        done = rayfix("review", "--phase", "validate", stdin=json.dumps(review_of(POD)))
        self.assertEqual(done.returncode, 0)
        self.assertNotIn("patch", json.loads(done.stdout)["response"])

    def test_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(review_of(POD), file)
            file.flush()
            self.assertEqual(rayfix("review", "-f", file.name).stdout,
                             rayfix("review", stdin=json.dumps(review_of(POD))).stdout)

    def test_denied(self):
        wrong = dict(review_of(POD), apiVersion="admission.k8s.io/v1beta1")
        done = rayfix("review", stdin=json.dumps(wrong))
        self.assertEqual(done.returncode, 1)
        self.assertFalse(json.loads(done.stdout)["response"]["allowed"])

    def test_no_uid(self):
        for text in ("", "hello", "{}"):
            done = rayfix("review", stdin=text)
            self.assertEqual(done.returncode, 2, text)
            self.assertEqual(json.loads(done.stdout)["kind"], "Status")

    def test_too_large(self):
        head = json.dumps(review_of(POD))[:-2] + ', "x": "'
        exact = head + "x" * (BODY_MAX - len(head) - 3) + '"}}'
        self.assertEqual(len(exact), BODY_MAX)
        self.assertEqual(rayfix("review", stdin=exact).returncode, 0)
        done = rayfix("review", stdin=exact + " ")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["response"]["status"]["code"], 413)
        self.assertEqual(rayfix("review", stdin=b" " * (BODY_MAX + 1)).returncode, 2)

    def test_unreadable(self):
        done = rayfix("review", "-f", "/nonexistent/review.json")
        self.assertEqual((done.returncode, done.stdout), (3, b""))
        self.assertIn("/nonexistent/review.json: No such file", done.stderr)
        self.assertEqual(rayfix("review", "-f", "/").returncode, 3)
        self.assertEqual(rayfix("review", "--config", "/nonexistent.yaml").returncode, 3)

    def test_bad_configuration(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("apiVersion: rayfix.io/v1alpha1\nkind: Configuration\nmutatorz: {}\n")
            file.flush()
            done = rayfix("review", "--config", file.name)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(f"{file.name}:3:1:", done.stderr)


class Output(unittest.TestCase):
    """Results that cannot be written are an error, not silence and not a signal."""

    def test_full_disk(self):
        for arguments in (["version"], ["rules"], ["review"]):
            with open("/dev/full", "wb") as full:
                done = rayfix(*arguments, stdin=json.dumps(review_of(POD)), stdout=full)
            self.assertEqual(done.returncode, 3, arguments)
            self.assertIn("standard output: ", done.stderr)

    def test_reader_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = rayfix("rules", "-o", "json", stdout=writer)
        os.close(writer)
        self.assertEqual(done.returncode, 3)
        self.assertIn("standard output: Broken pipe", done.stderr)


if __name__ == "__main__":
    unittest.main()
