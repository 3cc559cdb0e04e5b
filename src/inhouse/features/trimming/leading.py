"""White space that an answer begins with and the cursor has before it already."""

from __future__ import annotations

import re

from inhouse.features.trimming.cursor import LOOKED_AT, block_above

_BLANKS = re.compile(r"\A[^\S\r\n]+")


class Leading:
    """Takes doubled blanks off the start of one streamed answer."""

    def __init__(self, prefix: str) -> None:
        """Learn what stands before the cursor on its line, and whether a block was opened above."""
        line = prefix[-LOOKED_AT:].rpartition("\n")[2]
        self.holds = line[-1:].isspace()
        """Whether nothing but blanks has come so far, and blanks are not wanted."""
        self._held = ""
        self._indent = ""
        if self.holds and not line.strip():
            above = block_above(prefix)
            self.holds = above is None or above < len(line)
            self._indent = line

    def feed(self, text: str) -> str:
        """Take the next piece; blanks are held until something else comes."""
        if not self.holds:
            return text
        self._held += text
        begun = _BLANKS.sub("", self._held)
        if not begun:
            return ""
        self.holds = False
        if begun[0] in "\r\n":
            return self._held
        if not self._indent:
            return begun
        return self._held.removeprefix(self._indent)
