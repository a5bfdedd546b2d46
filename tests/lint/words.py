#!/usr/bin/env python3
"""Words that do not belong in a public tree: paths of one person's machine, hosts of package
registries (a mirror is the machine's own affair), names of writing assistants, left-over marks of
a merge."""

import codecs
import re

import lint

# In rot13, so that this file passes its own test.
WORDS = [codecs.decode(word, "rot13") for word in (
    r"/jbex/", r"/gzc/oevrs", r"/ubzr/(?!enl\o)[n-m]", r"/ebbg/",
    r"qro\.qrovna\.bet", r"nepuvir\.hohagh\.pbz", r"clcv\.bet", r"svyrf\.clguba", r"cebkl\.tbynat",
    r"ertvfgel\.acz", r"pengrf\.vb",
    r"\o(?:pynhqr|naguebcvp|bcranv|pungtcg|pbcvybg|ytz|yyz)\o", r"\oNV\o", r"\oNV-trarengrq\o",
    r"^<<<<<<< ", r"^>>>>>>> ")]
CASE_SENSITIVE = codecs.decode("NV", "rot13")
PATTERNS = [re.compile(word, re.MULTILINE | (0 if CASE_SENSITIVE in word else re.IGNORECASE))
            for word in WORDS]


def check(root):
    found = []
    for path in lint.tracked(root):
        text = f"{path}\n" + lint.read(root, path)
        for pattern in PATTERNS:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start())
                found.append(f"{path}:{line or 'name'}: {match.group(0).strip()!r}")
    return found


def example(word):
    return codecs.decode(word, "rot13")


BAD = [
    ({"a.md": "the work/ folder, maintained, aim, network/\n"}, []),
    ({"a.json": "the home of Ray's image: " + example("/ubzr/enl/ncc") + "\n"}, []),
    ({"a.sh": "cd " + example("/ubzr/fnz/ncc") + "\n"}, ["a.sh:1: "]),
    ({"a.sh": "x\ncd " + example("/jbex/znva") + "\n"}, ["a.sh:2: "]),
    ({"a.sh": "https://" + example("qro.qrovna.bet") + "/debian\n"}, ["a.sh:1: "]),
    ({"docs/a.md": "by " + example("Pynhqr") + "\n"}, ["docs/a.md:1: "]),
    ({"a.c": "// an " + example("NV") + " wrote this\n"}, ["a.c:1: "]),
]

if __name__ == "__main__":
    lint.main(check, BAD)
