"""A text without the fence that some models wrap their whole answer in."""

from __future__ import annotations

import re

_OPENING = re.compile(
    r"\s*(?:`{3,}|~{3,})[ \t]*(?:markdown|md|text|txt|plaintext)?[ \t]*\n", re.IGNORECASE
)
_MAY_OPEN = re.compile(
    r"\s*(?:`{1,2}|~{1,2}|(?:`{3,}|~{3,})[ \t]*[a-z]{0,9}[ \t]*)?\Z", re.IGNORECASE
)
_MAY_CLOSE = re.compile(r"(?:\A|\n)[ \t]{0,3}(?:`*|~*)\s*\Z")
_CLOSING = re.compile(r"\s*(?:`{3,}|~{3,})?\s*")


class Unwrapped:
    """Shows a wrapped answer without its fence, and any other as it is.

    Fences inside stay: only one that the answer ends with closes the wrapping.
    """

    def __init__(self) -> None:
        """Show nothing before it is clear how the answer begins."""
        self._held: str = ""
        self._wrapped: bool | None = None
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain."""
        text = self._held + text
        self._held = ""
        if self._wrapped is None:
            opening = _OPENING.match(text)
            if opening is None and _MAY_OPEN.match(text):
                self._held = text
                return ""
            self._wrapped = opening is not None
            text = text[opening.end() :] if opening is not None else text
        if self._wrapped:
            closing = _MAY_CLOSE.search(text)
            if closing is not None:
                text, self._held = text[: closing.start()], text[closing.start() :]
        return text

    def finish(self) -> str:
        """Return what was held and is no closing fence."""
        held, self._held = self._held, ""
        return "" if self._wrapped and _CLOSING.fullmatch(held) else held
