"""What the cursor's place asks for: a line, a statement, or a block."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

LOOKED_AT = 2000
"""Characters before the cursor that tell of its line and the one above."""

_OPENED = re.compile(r"(?:[({\[:]|=>|->|\b(?:do|then|begin|else|try))\s*\Z")
_GOES_ON = re.compile(
    r"(?:(?<!\+)\+|(?<!-)-|[*/%=&|<>?,.(\[{:\\~^]|\b(?:and|or|not|in|is|then|do))\s*\Z"
)
_CONTINUES = re.compile(r"\s*(?:[.?:+\-*/%=&|<{]|(?:and|or|then|do|where|with|in)\b)")
_INCOMPLETE = re.compile(r"\s*(?:@|#\[|template\b)")
_FREE_WORDS = (
    "markdown md mdx txt text plaintext rst restructuredtext adoc asciidoc tex latex org"
    " sql psql mysql plsql pgsql sqlite kql cypher"
)
_FREE_KINDS = frozenset(_FREE_WORDS.split())
"""Files whose statements, or sentences, go on at the margin."""


def indent(line: str) -> int:
    """Return how many characters of white space a line begins with."""
    return len(line) - len(line.lstrip())


def opens_block(line: str) -> bool:
    """Tell whether the lines below belong to this one."""
    return _OPENED.search(line) is not None


def block_above(prefix: str) -> int | None:
    """Return the indentation of the line that opened a block just before the cursor, or None."""
    line = prefix[-LOOKED_AT:].rstrip().rpartition("\n")[2]
    return indent(line) if opens_block(line) else None


def goes_on(line: str, below: str) -> bool:
    """Tell whether the line below goes on with the statement, although it is not indented."""
    return _GOES_ON.search(line) is not None or _CONTINUES.match(below) is not None


def has_statements(path: str, language: str) -> bool:
    """Tell whether a new line at the same indentation is a new statement in such files."""
    kind = language.lower() or PurePosixPath(path).suffix[1:].lower()
    return kind not in _FREE_KINDS


def in_statement(cursor_line: str) -> bool:
    """Tell whether the cursor stands in a statement: the lines below it are others."""
    return bool(cursor_line.strip()) and _INCOMPLETE.match(cursor_line) is None
