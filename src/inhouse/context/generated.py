"""Tell by its name or its head that a program wrote a file, and will write it anew.

Who asks whether to index a file may take a file too many for generated; who keeps silent in an
editor may not. So only the comments that a file begins with are read, and only clear words count.
"""

from __future__ import annotations

import re

HEAD_CHARACTERS = 4000
HEAD_LINES = 40
"""A licence stands before the words that count in many files."""
LONGEST_NAME = 255
"""Characters of a file's name at most; no more of a path is looked at."""

_SCRIPTS = (".js", ".mjs", ".cjs", ".css")
_ENDINGS = (
    *(f"{sign}min{kind}" for sign in ".-" for kind in _SCRIPTS),
    *(f"{kind}.map" for kind in _SCRIPTS),
    *(".lock", ".lockb", ".lockfile"),
    *("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi"),
    *(".pb.go", ".pb.gw.go", ".pb.cc", ".pb.h"),
    *(".designer.cs", ".designer.vb"),
)
_NAMES = frozenset(
    {
        ".terraform.lock.hcl",
        "go.sum",
        "go.work.sum",
        "npm-shrinkwrap.json",
        "package-lock.json",
        "package.resolved",
        "packages.lock.json",
        "pnpm-lock.yaml",
    }
)
_NEVER = r"\b(?:do not|don't) (?:edit|modify|change)\b"
_WORDS = re.compile(
    r"(?<![\w.])@generated\b|<auto-?generated\b"
    r"|\b(?:auto-?|automatically )generated (?:by|from|with|using)\b"
    rf"|\bgenerated\b[^\0]{{0,200}}?{_NEVER}|{_NEVER}[^\0]{{0,200}}?\bgenerated\b"
)
_SIGNS = ("//", "#", "--", ";", "%", "*", "'", "!", "<?", "<!", "@echo", "rem ", "dnl ")
"""What a line begins with that may stand before the first line of code."""
_BLOCKS = {"/*": "*/", "<!--": "-->", "--[[": "]]", "{-": "-}", "(*": "*)"}
_OPENINGS = tuple(_BLOCKS)


def generated(path: str, text: str) -> bool:
    """Tell whether a program wrote the file at `path` that begins with `text`; either may lack."""
    name = path[-LONGEST_NAME:].lower()
    if name.endswith(_ENDINGS) or name.replace("\\", "/").rpartition("/")[2] in _NAMES:
        return True
    head = text[:HEAD_CHARACTERS]
    # Most files do not say it anywhere, and need not be read line by line.
    if "enerated" not in head and "ENERATED" not in head:
        return False
    return _WORDS.search(_comments(head)) is not None


def _comments(text: str) -> str:
    """Return the comments that a text begins with, in small letters and on one line."""
    found: list[str] = []
    closing = ""
    for each in text.removeprefix("\ufeff").split("\n", HEAD_LINES)[:HEAD_LINES]:
        line = each.strip().lower()
        if line and not closing:
            if line.startswith(_OPENINGS):
                closing = next(end for start, end in _BLOCKS.items() if line.startswith(start))
            elif not line.startswith(_SIGNS):
                break
        if closing and closing in line:
            closing = ""
        found.append(line.strip("/*#-;%' \t"))
    return " ".join(found)
