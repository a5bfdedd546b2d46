#!/usr/bin/env python3
"""Builds the image and looks at it: what is in it, what it says, that it runs on a read-only root
as a user without rights, and that it comes out the same again.

The second build is made with IMAGE_AGAIN=1, and in CI."""

import contextlib
import gzip
import http.client
import io
import json
import os
import platform
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "image"
CI = bool(os.environ.get("CI"))
AGAIN = CI or bool(os.environ.get("IMAGE_AGAIN"))
LIMIT = 15_000_000
USER = 65532
PATIENCE = 60
VERSION = re.search(r"^project\(rayfix VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(),
                    re.MULTILINE)[1]
ARCHIVE = FOLDER / f"rayfix-{VERSION}.tar"


def skip_program(line):
    print(line)
    sys.exit(1 if CI else 77)


def git(*arguments):
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def build(archive):
    """The image's name with its digest."""
    done = subprocess.run([ROOT / "deploy/image/build", archive], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        print(done.stdout + done.stderr)
        skip_program("the image could not be built") if done.returncode == 77 else sys.exit(1)
    print(done.stderr + done.stdout, end="", flush=True)
    return done.stdout.splitlines()[0]


class Image:
    """An OCI archive: manifest, configuration, the entries of its one layer."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            index = json.load(archive.extractfile("index.json"))
            [self.entry] = index["manifests"]

            def blob(digest):
                return archive.extractfile("blobs/" + digest.replace(":", "/")).read()
            self.manifest = json.loads(blob(self.entry["digest"]))
            self.config = json.loads(blob(self.manifest["config"]["digest"]))
            [layer] = self.manifest["layers"]
            self.size = layer["size"]
            self.layer = gzip.decompress(blob(layer["digest"]))
        with tarfile.open(fileobj=io.BytesIO(self.layer)) as files:
            self.files = {entry.name.rstrip("/"): entry for entry in files}

    def unpack(self, folder):
        with tarfile.open(fileobj=io.BytesIO(self.layer)) as files:
            files.extractall(folder)


class Content(unittest.TestCase):

    def test_it_is_small(self):
        print(f"compressed {self.image.size / 1e6:.1f} MB, unpacked "
              f"{len(self.image.layer) / 1e6:.1f} MB")
        self.assertLessEqual(self.image.size, LIMIT)

    def test_its_configuration(self):
        config = self.image.config["config"]
        self.assertEqual(config["User"], f"{USER}:{USER}")
        self.assertEqual(config["Entrypoint"], ["/rayfix"])
        self.assertEqual(config["Cmd"], ["serve"])
        self.assertEqual(set(config["ExposedPorts"]), {"9443/tcp", "8080/tcp"})
        self.assertEqual([value.partition("=")[0] for value in config.get("Env", [])], ["PATH"])
        self.assertEqual(self.image.config["os"], "linux")
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
        self.assertEqual(self.image.config["architecture"], machine)

    def test_its_name(self):
        self.assertEqual(self.image.entry["annotations"]["org.opencontainers.image.ref.name"],
                         f"ghcr.io/rayfix/rayfix:{VERSION}")

    def test_its_labels(self):
        labels = {name.rpartition(".")[2]: value
                  for name, value in self.image.config["config"]["Labels"].items()
                  if name.startswith("org.opencontainers.image.")}
        self.assertEqual(set(labels), {"title", "description", "version", "revision", "created",
                                       "source", "licenses"})
        self.assertEqual(labels["version"], VERSION)
        self.assertTrue(all(labels.values()), labels)
        if git("rev-parse", "HEAD"):
            self.assertTrue(labels["revision"].startswith(git("rev-parse", "HEAD")))
        self.assertEqual(labels["created"], self.image.config["created"])

    def test_its_files(self):
        """Two programs, libraries, licences, the list of packages. No shell, no tool, no key."""
        allowed = (r"rayfix|wait-gcs|lib(64)?|lib/[a-z0-9_-]+-linux-gnu[a-z0-9]*|"
                   r"lib(64)?/([a-z0-9_-]+/)?(ld-linux|lib)[A-Za-z0-9_+.-]*\.so[.0-9]*|"
                   r"usr|usr/share|usr/share/doc|usr/share/doc/[a-z0-9.+-]+(/copyright)?|"
                   r"var|var/lib|var/lib/dpkg|var/lib/dpkg/status\.d|"
                   r"var/lib/dpkg/status\.d/[a-z0-9.+-]+")
        strange = [name for name in self.image.files if not re.fullmatch(allowed, name)]
        self.assertEqual(strange, [])
        self.assertIn("rayfix", self.image.files)
        self.assertIn("wait-gcs", self.image.files)
        programs = [name for name, entry in self.image.files.items()
                    if entry.isfile() and entry.mode & 0o111 and ".so" not in name]
        self.assertEqual(sorted(programs), ["rayfix", "wait-gcs"])

    def test_nothing_of_it_can_be_changed_or_lends_rights(self):
        for name, entry in self.image.files.items():
            self.assertTrue(entry.isfile() or entry.isdir(), name)
            self.assertEqual((entry.uid, entry.gid), (0, 0), name)
            self.assertEqual(entry.mode & 0o7022, 0, name)
            self.assertEqual(entry.mode & 0o444, 0o444, name)

    def test_all_files_are_as_old_as_the_commit(self):
        times = {entry.mtime for entry in self.image.files.values()}
        self.assertEqual(len(times), 1)
        if git("rev-parse", "HEAD"):
            self.assertEqual(times, {int(git("log", "-1", "--format=%ct"))})

    def test_every_library_has_its_package_and_licence(self):
        packages = {name.rpartition("/")[2] for name in self.image.files
                    if name.startswith("var/lib/dpkg/status.d/")}
        licensed = {name.split("/")[3] for name in self.image.files if name.endswith("/copyright")}
        self.assertEqual(licensed, packages | {"rayfix"})
        self.assertLessEqual({"libc6", "libcurl4t64", "libmicrohttpd12t64", "musl"}, packages)

    def test_no_protocols_that_nobody_speaks(self):
        names = " ".join(self.image.files)
        for library in ("libldap", "libkrb5", "libssh", "librtmp", "libnghttp", "libngtcp",
                        "libcurl.so", "libcurl-"):
            self.assertNotIn(library, names)

    def test_the_dockerfile(self):
        """What `docker build .` makes without arguments, and no word of one kind of machine."""
        text = (ROOT / "Dockerfile").read_text()
        self.assertIn(f"\nARG VERSION={VERSION}\n", text)
        for path in (ROOT / "Dockerfile", *(ROOT / "deploy/image").iterdir()):
            self.assertNotRegex(path.read_text(), r"x86|amd64|-march|-msse", path.name)


class Programs(unittest.TestCase):
    """Unpacked, below a root that cannot be written."""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root: chroot, mount")
        cls.root = tempfile.mkdtemp(prefix="rayfix-image-")
        cls.addClassCleanup(shutil.rmtree, cls.root)
        cls.image.unpack(cls.root)
        os.mkdir(f"{cls.root}/certs")  # where the kubelet mounts a volume
        os.chmod(cls.root, 0o755)

    def command(self, *argv):
        """As a container: namespaces, read-only root, no user's and no group's rights."""
        inside = (f'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && '
                  f'mount -t tmpfs -o uid={USER},gid={USER},mode=700 tmpfs "$0/certs" && '
                  f'exec chroot --userspec={USER}:{USER} --groups= "$0" "$@"')
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts",
                "/bin/sh", "-c", inside, self.root, *argv]

    def run_program(self, *argv):
        return subprocess.run(self.command(*argv), env={}, capture_output=True, text=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL)

    def test_version(self):
        done = self.run_program("/rayfix", "version")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"rayfix {VERSION} (commit ", done.stdout)
        if git("rev-parse", "HEAD"):
            self.assertIn(git("rev-parse", "HEAD")[:12], done.stdout)

    def test_wait_gcs(self):
        done = self.run_program("/wait-gcs", "127.0.0.1:1", "--mode=auto", "--timeout=1s")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"^Gave up on the GCS at 127\.0\.0\.1:1 after \ds "
                                      r"\(Connection refused\)\.$")

    def test_no_program_of_ours_is_weak(self):
        done = subprocess.run(["readelf", "-W", "-h", "-l", "-d", f"{self.root}/rayfix"],
                              capture_output=True, text=True)
        self.assertIn("DYN (", done.stdout)
        self.assertIn("GNU_RELRO", done.stdout)
        self.assertRegex(done.stdout, r"FLAGS_1.*NOW")
        done = subprocess.run(["readelf", "-W", "-l", f"{self.root}/wait-gcs"],
                              capture_output=True, text=True)
        self.assertNotIn("INTERP", done.stdout)

    @contextlib.contextmanager
    def serve(self):
        argv = self.command("/rayfix", "serve", "--cert-dir", "/certs", "--bind-address",
                            "127.0.0.1:0", "--health-bind-address", "127.0.0.1:0")
        with subprocess.Popen(argv, env={}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                # The child itself: changing its user has undone --kill-child (prctl(2)).
                for child in Path(f"/proc/{process.pid}/task/{process.pid}/children") \
                        .read_text().split():
                    os.kill(int(child), signal.SIGKILL)
                process.kill()

    def test_it_serves(self):
        with self.serve() as process:
            ports = []
            for line in process.stdout:
                ports += re.findall(r"127\.0\.0\.1:(\d+)", line)
                if line == "rayfix: ready\n":
                    break
            self.assertEqual(len(ports), 2, process.stderr.read() if process.poll() else "")
            self.assertEqual(self.health(int(ports[1])), 200)
            answer = self.review(int(ports[0]))
            self.assertTrue(answer["response"]["allowed"])
            self.assertIn("patch", answer["response"])

    @staticmethod
    def health(port):
        with contextlib.closing(http.client.HTTPConnection(
                "127.0.0.1", port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status

    @staticmethod
    def review(port):
        with contextlib.closing(http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=PATIENCE,
                context=ssl._create_unverified_context())) as connection:
            connection.request("POST", "/mutate",
                               (ROOT / "tests/http/reviews/worker.json").read_text(),
                               {"Content-Type": "application/json"})
            return json.load(connection.getresponse())


class Again(unittest.TestCase):

    @unittest.skipUnless(AGAIN, "set IMAGE_AGAIN=1")
    def test_the_same_commit_gives_the_same_digest(self):
        archive = FOLDER / "again.tar"
        name = build(archive)
        second = Image(archive)
        archive.unlink()
        self.assertEqual(second.files.keys(), self.image.files.keys())
        self.assertEqual(second.layer, self.image.layer)
        self.assertEqual(name, self.name)


def main():
    for program in ("buildah", "unshare", "readelf"):
        if not shutil.which(program):
            skip_program(f"{program} is missing: install buildah, util-linux, binutils")
    Again.name = build(ARCHIVE)
    Content.image = Programs.image = Again.image = Image(ARCHIVE)
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
