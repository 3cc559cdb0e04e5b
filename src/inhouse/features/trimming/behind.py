"""The lines behind the cursor, as a completion may repeat them."""

from __future__ import annotations

import re

SURE_CHARACTERS = 4
"""Word characters that make a run of equal lines more than chance (``}`` has none)."""

_WORD = re.compile(r"\w")


class Behind:
    """Follows a run of lines that equal those behind the cursor; one may begin at any line."""

    def __init__(self, rest: str, tail: str) -> None:
        """`rest` is what is left of the cursor's line, `tail` what comes below it."""
        self._lines = [line.rstrip() for line in tail.split("\n") if line.strip()]
        self._rest = bool(rest)
        if rest:
            self._lines.insert(0, rest.lstrip())
        self.run = 0
        """Lines of the run so far."""
        self._weight = 0
        self._loose = False

    @property
    def sure(self) -> bool:
        """Whether the run is no chance."""
        return self._weight >= SURE_CHARACTERS and (not self._loose or self.run > 1)

    @property
    def ends(self) -> bool:
        """Whether the run is none of an answer that ends with it."""
        return self.run > 0 and (not self._loose or self.sure)

    def stop(self) -> None:
        """Forget the run."""
        self.run = self._weight = 0
        self._loose = False

    def extend(self, line: str, *, loose: bool) -> bool:
        """Take a whole line; tell whether it is the next one behind, or the first one.

        A run may begin `loose`: then its indentation is no matter.
        """
        if self.run and not self._equals(line, self.run, loose=self._loose):
            self.stop()
        if not self.run:
            self._loose = loose and not self._equals(line, 0, loose=False)
        if not self._equals(line, self.run, loose=self._loose):
            return False
        self.run += 1
        self._weight += len(_WORD.findall(line))
        return True

    def may_extend(self, begun: str, *, loose: bool) -> bool:
        """Tell whether a line that has begun so may become part of a run."""
        text = begun.rstrip()
        if self.run and self._begins(text, self.run, loose=self._loose):
            return True
        return self._begins(text, 0, loose=loose or self._rest)

    def _begins(self, text: str, at: int, *, loose: bool) -> bool:
        if at >= len(self._lines):
            return False
        line = self._lines[at]
        return line.startswith(text) or (loose and line.lstrip().startswith(text.lstrip()))

    def _equals(self, line: str, at: int, *, loose: bool) -> bool:
        if at >= len(self._lines):
            return False
        text, other = line.rstrip(), self._lines[at]
        if text == other:
            return True
        return (loose or (at == 0 and self._rest)) and text.lstrip() == other.lstrip()
