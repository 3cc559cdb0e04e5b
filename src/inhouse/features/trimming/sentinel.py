"""A family's sentinel in what a model writes: it meant to stop, and its server did not see it."""

from __future__ import annotations

import re

_NAMES = "fim|end|file|repo|im|eot|eom|begin|start|code|user|assistant|system|pad|sep"
_SENTINEL = re.compile(
    rf"<[|\uff5c](?:{_NAMES})[\w\u2581]{{0,27}}[|\uff5c]>"
    r"|<(?:fim_(?:prefix|middle|suffix|pad)|file_sep|repo_name|EOT|EOM)>"
)
_LONGEST = 40
"""Characters of a sentinel; what is longer is none, in one piece or in many."""


class Sentinel:
    """Ends one streamed text before a sentinel; a file that has one itself may have more."""

    def __init__(self, prefix: str, suffix: str) -> None:
        """`prefix` and `suffix` are looked at when a sentinel comes."""
        self._around = (prefix, suffix)
        self.held = ""
        """What may yet become one."""
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain to stand before every sentinel."""
        text = self.held + text
        self.held = ""
        found = _SENTINEL.search(text)
        if found is not None and not self._is_theirs():
            self.done = True
            return text[: found.start()]
        begun = text.rfind("<")
        if begun >= 0 and _may_be_sentinel(text[begun:]):
            self.held = text[begun:]
            return text[:begun]
        return text

    def _is_theirs(self) -> bool:
        return any(_SENTINEL.search(each) for each in self._around)


_BEGUN = re.compile(r"<(?:[|\uff5c](?:\w[\w\u2581]*[|\uff5c]?)?|[feErT][\w]*)?\Z")


def _may_be_sentinel(begun: str) -> bool:
    return len(begun) < _LONGEST and _BEGUN.match(begun) is not None
