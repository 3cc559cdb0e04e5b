"""Show whole lines only, so that an answer may end at any time."""

from __future__ import annotations


class WholeLines:
    """Holds each line back until it is whole.

    The first one goes out as it comes where somebody reads along: there is no line before it to end
    at, and the first words are what is waited for.
    """

    def __init__(self, *, first: bool) -> None:
        """`first` holds back the first line as well."""
        self._held = ""
        self._open = not first
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        head, newline, rest = text.rpartition("\n")
        if newline:
            shown = self._held + head + newline
            self._held, self._open = rest, False
            return shown
        if self._open:
            return text
        self._held += text
        return ""

    def finish(self) -> str:
        """The model stopped by itself: return the line without an end."""
        held, self._held = self._held, ""
        return held
