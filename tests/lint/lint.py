"""What every house rule's script shares: the files of the tree, C without its comments, and a main.

A check that cannot fail proves nothing. So each script brings small trees that break its rule, and
every run shows the check those trees first and only then the real one.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77
C_SUFFIXES = (".c", ".h")


def tracked(root):
    """Every file that belongs to the project, as paths relative to `root`, sorted."""
    root = Path(root)
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], capture_output=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.decode().split("\0")
            return sorted(Path(name) for name in set(names) if name and (root / name).is_file())
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders
                      if f not in (".git", "build", "__pycache__") and not f.startswith("build-")]
        found += [(Path(folder) / name).relative_to(root) for name in names]
    return sorted(found)


def c_files(root):
    return [path for path in tracked(root) if path.suffix in C_SUFFIXES]


_TOKENS = re.compile(
    r'//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def strip_c(source, strings=True):
    """C source with comments (and, unless told, the content of strings) gone, lines kept."""

    def replace(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] * 2 if strings else token
        return "\n" * token.count("\n") or " "

    return _TOKENS.sub(replace, source)


def read(root, path):
    return (Path(root) / path).read_text(encoding="utf-8", errors="replace")


def skip(message):
    """Says what is missing and leaves: skipped for a person, a failure in CI."""
    print(message)
    sys.exit(1 if os.environ.get("CI") else SKIPPED)


def _prove(check, bad):
    """Runs `check` on each small tree. `bad` is a list of (files, what must be reported)."""
    for files, expected in bad:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
            with contextlib.redirect_stdout(io.StringIO()):
                found = check(Path(folder))
        if len(found) != len(expected) or any(want not in got
                                              for want, got in zip(expected, found)):
            print("the check itself is broken: on", list(files), "it should report")
            print("  " + "\n  ".join(expected or ["nothing"]))
            print("and reports\n  " + "\n  ".join(found or ["nothing"]))
            sys.exit(1)


def main(check, bad):
    """`check(root)` returns the findings, one line each. Exits 0, or 1 with what was found."""
    if not any(expected for _, expected in bad):
        sys.exit("a lint script needs an example that it refuses")
    _prove(check, bad)
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd()
    findings = check(root)
    for finding in findings:
        print(finding)
    print(f"{Path(sys.argv[0]).name}: {len(findings)} found")
    sys.exit(1 if findings else 0)
