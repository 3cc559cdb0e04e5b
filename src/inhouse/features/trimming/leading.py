"""White space that an answer begins with and the cursor has before it already."""

from __future__ import annotations

from inhouse.features.trimming.cursor import LOOKED_AT, block_above


class Leading:
    """Takes doubled blanks off the start of one streamed answer."""

    def __init__(self, prefix: str) -> None:
        """Learn what stands before the cursor on its line, and whether a block was opened above."""
        line = prefix[-LOOKED_AT:].rpartition("\n")[2]
        self.done = False
        self._held: str | None = None
        self._indent = ""
        if not line[-1:].isspace():
            return
        self._held = ""
        if not line.strip():
            above = block_above(prefix)
            if above is not None and above >= len(line):
                self._held = None
            self._indent = line

    def feed(self, text: str) -> str:
        """Take the next piece; blanks are held until something else comes."""
        if self._held is None:
            return text
        self._held += text
        begun = self._held.lstrip(" \t")
        if not begun:
            return ""
        held, self._held = self._held, None
        blanks = held[: len(held) - len(begun)]
        if begun[0] in "\r\n":
            return held
        if not self._indent:
            return begun
        return held[len(self._indent) :] if blanks.startswith(self._indent) else held

    def finish(self) -> str:
        """Nothing but blanks came."""
        self._held = None
        return ""
