"""Glob patterns over relative paths, read as in a .gitignore."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PART = re.compile(
    r"(?P<folders>\*\*/)|(?P<all>\*\*)|(?P<name>\*)|(?P<one>\?)|(?P<sign>.)", re.DOTALL
)
_MEANING = {"folders": "(?:[^/]+/)*", "all": ".*", "name": "[^/]*", "one": "[^/]"}


class Patterns:
    """Patterns of paths to leave out.

    ``*`` and ``?`` stay within a name, ``**`` crosses folders. A pattern with a slash is relative
    to the root, one without matches a name in any folder. Naming a folder means all within it.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile the patterns; empty ones match nothing."""
        parts = [_regex(each) for each in patterns if each.strip("/")]
        self._regex = re.compile("|".join(parts)) if parts else None

    def match(self, path: str) -> bool:
        """Tell whether a relative path with forward slashes, or a folder it is in, matches."""
        return self._regex is not None and self._regex.fullmatch(path) is not None


def _regex(pattern: str) -> str:
    anywhere = "" if "/" in pattern.rstrip("/") else _MEANING["folders"]
    body = "".join(
        _MEANING.get(str(found.lastgroup)) or re.escape(found.group())
        for found in _PART.finditer(pattern.strip("/"))
    )
    return f"{anywhere}{body}(?:/.*)?"
