"""Reasoning left out of an answer that is to be code.

Models put what they think between tags that no parser at the upstream may have taken out. Some
chat templates write the opening tag themselves, so that the answer begins inside and only closes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from inhouse.features.shaping import Shaper

_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning")
_OPENING = (*(f"<{name}>" for name in _NAMES), "[think]")
_CLOSING = (*(f"</{name}>" for name in _NAMES), "[/think]")
_OPEN = re.compile(r"\s*(?:" + "|".join(map(re.escape, _OPENING)) + ")", re.IGNORECASE)
_CLOSE = re.compile("|".join(map(re.escape, _CLOSING)), re.IGNORECASE)
_BLANKS = re.compile(r"\s*\n")
_LONGEST = max(map(len, _CLOSING)) - 1


class _State(Enum):
    START = "nothing but blanks so far"
    THINKING = "inside a reasoning block"
    ANSWER = "in the answer, of which nothing is shown yet"
    SHOWN = "something is shown, and stays"


class Unthinking:
    """Hands an answer without its reasoning on to another shaper."""

    def __init__(self, new: Callable[[], Shaper]) -> None:
        """`new` makes the shaper that gets the answer; a new one starts behind a block."""
        self._new = new
        self._inner = new()
        self._state = _State.START
        self._behind = False
        self._held = ""
        self.done = False
        """Whether the rest of the stream is not wanted."""

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        if self._state is _State.SHOWN:
            return self._pass(text)
        text, self._held = self._held + text, ""
        while text and not self.done:
            match self._state:
                case _State.START:
                    text = self._start(text)
                case _State.THINKING:
                    text = self._think(text)
                case _:
                    shown, text = self._answer(text)
                    if shown:
                        self._state = _State.SHOWN
                        return shown + (self._pass(text) if text and not self.done else "")
        return ""

    def finish(self) -> str:
        """The model stopped: a block without an end was all that it wrote."""
        held, self._held = self._held, ""
        if self.done:
            return ""
        if self._state is _State.THINKING:
            return self._inner.finish()
        shown = self._inner.feed(held) if held else ""
        return shown if self._inner.done else shown + self._inner.finish()

    def _start(self, text: str) -> str:
        """Look for an opening tag; return what is left to be looked at."""
        found = _OPEN.match(text)
        if found is not None:
            self._state = _State.THINKING
            return text[found.end() :]
        begun = text.lstrip().lower()
        if any(tag.startswith(begun) for tag in _OPENING):
            self._held = text
            return ""
        self._state = _State.ANSWER
        return _BLANKS.sub("", text, count=1) if self._behind and _BLANKS.match(text) else text

    def _think(self, text: str) -> str:
        found = _CLOSE.search(text)
        if found is None:
            self._held = text[-_LONGEST:]
            return ""
        self._state, self._behind = _State.START, True
        return text[found.end() :]

    def _answer(self, text: str) -> tuple[str, str]:
        """Return what is shown of the text, and what is left to be looked at."""
        found = _CLOSE.search(text)
        if found is None:
            keep = len(text) - _may_close(text)
            shown, rest = self._pass(text[:keep]), text[keep:]
            if not shown:
                self._held, rest = rest, ""
            return shown, rest
        shown = self._pass(text[: found.start()])
        if shown or self.done:
            return shown, text[found.start() :]
        # It was reasoning, whatever it looked like.
        self._inner, self._state, self._behind = self._new(), _State.START, True
        return "", text[found.end() :]

    def _pass(self, text: str) -> str:
        shown = self._inner.feed(text) if text else ""
        self.done = self._inner.done
        return shown


def _may_close(text: str) -> int:
    """Return how many characters at the end may be the start of a closing tag."""
    for size in range(min(_LONGEST, len(text)), 0, -1):
        tail = text[-size:].lower()
        if any(tag.startswith(tail) for tag in _CLOSING):
            return size
    return 0
