"""End a streamed text where a stop sequence begins, for upstreams that take only a few."""

from __future__ import annotations

import re
from collections.abc import Sequence


class Stops:
    """Watches one choice; holds back only what may be the start of a stop sequence."""

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops` are not empty, and none of them is."""
        self._stops = tuple(stops)
        # Most pieces hold no character that a stop sequence begins with.
        self._first = re.compile("|".join({re.escape(stop[0]) for stop in stops}))
        self._starts = frozenset(stop[:size] for stop in stops for size in range(1, len(stop)))
        self._longest = max(map(len, stops)) - 1
        self._held: str = ""
        self.done = False
        """Whether a stop sequence came; what follows is not wanted."""

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain to stand before every stop sequence."""
        if self.done:
            return ""
        text = self._held + text
        self._held = ""
        for found in self._first.finditer(text):
            at = found.start()
            if text.startswith(self._stops, at):
                self.done = True
                return text[:at]
            # One that has begun here goes before one that is whole, and behind.
            if len(text) - at <= self._longest and text[at:] in self._starts:
                self._held = text[at:]
                return text[:at]
        return text

    def finish(self) -> str:
        """Return what was held, up to the first stop sequence within it."""
        held, self._held = self._held, ""
        ends = (at for at in range(len(held)) if held.startswith(self._stops, at))
        return held[: next(ends, len(held))]
