"""What is left of the cursor's line behind the cursor, as a completion may write it once more."""

from __future__ import annotations

import re

from inhouse.features.trimming.behind import SURE_CHARACTERS

SURE_REST = 6
"""Word characters that make it the end of the answer wherever it comes."""

_WORD = re.compile(r"\w")
_QUOTE = re.compile(r"[\"'`]")
_TRIPLE = ('"""', "'''")


class Rest:
    """Finds the rest of the cursor's line in the first line of a completion."""

    def __init__(self, head: str) -> None:
        """`head` is the suffix up to its first line end."""
        self.text = head.rstrip()
        halves = [sum(map(self.text.count, each)) for each in ("([{", ")]}")]
        self.closes = max(0, halves[1] - halves[0])
        """Brackets that it closes and has not opened."""
        self._weight = len(_WORD.findall(self.text))
        paired = not _is_balanced(self.text) and not self.text.startswith(_TRIPLE)
        # A bracket may be one of the answer's own; whether it is, their balance tells.
        self._certain = bool(self.text) and (self._weight > 0 or not paired)

    @property
    def needs_space(self) -> bool:
        """Whether white space before it is wanted."""
        return bool(self.text) and not self.text[0].isspace()

    def begins(self, line: str, sent: int) -> int | None:
        """Return where the whole of it stands in a line, if that is no chance."""
        if self._weight < SURE_REST:
            return None
        found = line.find(self.text, sent)
        return found if found >= 0 else None

    def ends(self, line: str, *, cut: bool, over: bool) -> int | None:
        """Return where it begins at the end of a line; a `cut` line may end within it.

        `over` says that the line closes more than it may.
        """
        text = line.rstrip()
        if self.text and (self._certain or over) and text.endswith(self.text):
            return len(text) - len(self.text)
        if not cut or not self.text:
            return None
        size = self.overlap(text)
        begun = text[len(text) - size :]
        return len(text) - size if len(_WORD.findall(begun)) >= SURE_CHARACTERS else None

    def pending(self, line: str, sent: int) -> int:
        """Return how many characters at the end may yet be the rest of the cursor's line."""
        if not self.text:
            return 0
        unsent = line[sent:]
        text = unsent.rstrip()
        return len(unsent) - len(text) + self.overlap(text)

    def overlap(self, text: str) -> int:
        """Return how many characters at the end of a text begin the rest, if there is one."""
        at = text.find(self.text[0], max(0, len(text) - len(self.text)))
        while at >= 0 and not self.text.startswith(text[at:]):
            at = text.find(self.text[0], at + 1)
        return len(text) - at if at >= 0 else 0


def _is_balanced(text: str) -> bool:
    pairs = all(text.count(half) == text.count(other) for half, other in ("()", "[]", "{}"))
    return pairs and _QUOTE.search(text) is None
