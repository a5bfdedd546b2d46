#!/usr/bin/env python3
"""Data flows one way (docs/architecture.md): no folder includes a header of one above it, each
folder uses only its libraries, and a rule includes exactly one project header."""

import re

import lint

# Folder -> project headers it may include (by prefix).
RULE = ("admission/rule.h",)
ALLOWED = {
    "admission": ("admission/", "scripts.h"),
    "mutators": RULE,
    "validators": RULE,
    "certs": ("certs/", "admission/arena.h", "admission/buffer.h", "admission/error.h",
              "admission/text.h"),
    "cluster": ("cluster/", "admission/"),
    "server": ("server/", "admission/", "certs/", "cluster/"),
    "cli": ("cli/", "server/", "admission/", "certs/", "cluster/", "scripts.h"),
    "wait-gcs": ("wait-gcs/",),
}

# Library header -> folders that may use it; cli/ may use them all.
LIBRARIES = {
    r"yyjson\.h": ("admission", "mutators", "validators", "server", "cli"),
    r"microhttpd\.h": ("server", "cli"),
    r"gnutls/": ("server", "cli"),
    r"openssl/": ("certs", "cli"),
    r"yaml\.h": ("server", "cli"),
    r"curl/": ("cluster", "cli"),
    r"jansson\.h": ("cluster", "cli"),
    r"seccomp\.h": ("server", "cli"),
}

# base64 comes from OpenSSL; nothing else of it belongs there.
EXCEPTIONS = {("admission/answer.c", "openssl/evp.h"), ("cluster/base64.c", "openssl/evp.h")}

# The core sees bytes only: no socket, clock or file, so just these headers of libc.
PURE = ("admission", "mutators", "validators")
PURE_LIBC = {"assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h",
             "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h", "strings.h"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def check_system(path, folder, header):
    if (str(path), header) in EXCEPTIONS:
        return None
    for pattern, folders in LIBRARIES.items():
        if re.match(pattern, header):
            return None if folder in folders else f"<{header}> belongs to {', '.join(folders)}"
    if folder in PURE and header not in PURE_LIBC:
        return f"<{header}>: the core uses no socket, clock, file or thread"
    return None


def check(root):
    found = []
    for path in lint.c_files(root):
        folder = path.parts[0]
        if folder not in ALLOWED:
            continue
        source = lint.strip_c(lint.read(root, path), strings=False)
        project = []
        for match in INCLUDE.finditer(source):
            line = source.count("\n", 0, match.start()) + 1
            if match.group(1) == "<":
                wrong = check_system(path, folder, match.group(2))
                if wrong:
                    found.append(f"{path}:{line}: {wrong}")
                continue
            project.append(match.group(2))
            if not match.group(2).startswith(ALLOWED[folder]):
                found.append(f'{path}:{line}: {folder}/ may not include "{match.group(2)}"; '
                             f"allowed: {', '.join(ALLOWED[folder])}")
        if folder in ("mutators", "validators") and "admission/rule.h" not in project:
            found.append(f'{path}: a rule includes "admission/rule.h"')
    return found


BAD = [
    ({"admission/a.c": '#include "admission/a.h"\n#include <string.h>\n',
      "admission/answer.c": "#include <openssl/evp.h>\n",
      "mutators/b.c": '#include "admission/rule.h"\n',
      "server/c.c": '#include "certs/certs.h"\n#include <microhttpd.h>\n',
      "tests/unit/d_test.c": '#include "cli/verb.h"\n'}, []),
    ({"admission/a.c": '#include "server/http.h"\n'}, ['a.c:1: admission/ may not include']),
    ({"admission/a.c": '// x\n# include <time.h>\n'}, ['a.c:2: <time.h>']),
    ({"admission/a.c": '#include <openssl/evp.h>\n'}, ['belongs to certs']),
    ({"mutators/b.c": '#include "admission/rule.h"\n#include "admission/pod.h"\n'},
     ['b.c:2: mutators/ may not include']),
    ({"mutators/b.c": '#include <string.h>\n'}, ['a rule includes']),
    ({"certs/c.c": '#include "server/http.h"\n'}, ['certs/ may not include']),
    ({"server/d.c": '#include "cli/verb.h"\n'}, ['server/ may not include']),
    ({"server/d.c": '#include <jansson.h>\n'}, ['belongs to cluster']),
]

if __name__ == "__main__":
    lint.main(check, BAD)
