"""Tell by its name or its head that a program wrote a file, and will write it anew.

Who asks whether to index a file may take a file too many for generated; who keeps silent in an
editor may not. So only the comments that a file begins with are read, and only clear words count.
"""

from __future__ import annotations

import re

HEAD_CHARACTERS = 4000
HEAD_LINES = 40
"""A licence stands before the words that count in many files."""
LONGEST_PATH = 512
"""So many characters of a path's end are looked at."""

_NAME = re.compile(
    r"\.lock(?:b|file)?$|[.-]min\.(?:css|js|mjs|cjs)$|\.(?:css|js|mjs|cjs)\.map$"
    r"|_pb2(?:_grpc)?\.pyi?$|\.pb(?:\.gw)?\.(?:cc|go|h)$|\.designer\.(?:cs|vb)$"
    r"|(?:^|[/\\])(?:package-lock\.json|npm-shrinkwrap\.json|packages\.lock\.json|pnpm-lock\.yaml"
    r"|go(?:\.work)?\.sum|package\.resolved|\.terraform\.lock\.hcl)$",
    re.IGNORECASE,
)
_NEVER = r"\b(?:do not|don't) (?:edit|modify|change)\b"
_WORDS = re.compile(
    r"(?<![\w.])@generated\b|<auto-?generated\b"
    r"|\b(?:auto-?|automatically )generated (?:by|from|with|using)\b"
    rf"|\bgenerated\b[^\0]{{0,200}}?{_NEVER}|{_NEVER}[^\0]{{0,200}}?\bgenerated\b",
    re.IGNORECASE,
)
_SIGNS = ("//", "#", "--", ";", "%", "*", "'", "!", "<?", "<!", "@echo", "REM ", "rem ", "dnl ")
"""What a line begins with that may stand before the first line of code."""
_BLOCKS = (("/*", "*/"), ("<!--", "-->"), ("--[[", "]]"), ("{-", "-}"), ("(*", "*)"))


def generated(path: str, text: str) -> bool:
    """Tell whether a program wrote the file at `path` that begins with `text`; either may lack."""
    if path and _NAME.search(path[-LONGEST_PATH:]):
        return True
    head = text[:HEAD_CHARACTERS]
    # Most files do not say it anywhere, and need not be read line by line.
    if "enerated" not in head and "ENERATED" not in head:
        return False
    return _WORDS.search(_comments(head)) is not None


def _comments(text: str) -> str:
    """Return the comments that a text begins with, on one line: sentences run over several."""
    found: list[str] = []
    closing = ""
    for each in text.removeprefix("\ufeff").split("\n", HEAD_LINES)[:HEAD_LINES]:
        line = each.strip()
        if not closing:
            closing = next((end for start, end in _BLOCKS if line.startswith(start)), "")
            if line and not closing and not line.startswith(_SIGNS):
                break
        if closing and closing in line:
            closing = ""
        found.append(line.strip("/*#-;%' \t"))
    return " ".join(found)
