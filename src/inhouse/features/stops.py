"""End a streamed text where a stop sequence begins, for upstreams that take only a few."""

from __future__ import annotations

import re
from collections.abc import Sequence


class Stops:
    """Watches one choice; holds back only what may be the start of a stop sequence."""

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops` are not empty, and none of them is."""
        self._found = re.compile("|".join(map(re.escape, stops)))
        self._stops = tuple(stops)
        self._longest = max(map(len, stops))
        self._held = ""
        self.done = False
        """Whether a stop sequence came; what follows is not wanted."""

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain to stand before every stop sequence."""
        if self.done:
            return ""
        text = self._held + text
        found = self._found.search(text)
        if found is not None:
            self.done, self._held = True, ""
            return text[: found.start()]
        keep = self._pending(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """Return what was held: the text ended in the middle of no stop sequence."""
        held, self._held = self._held, ""
        return held

    def _pending(self, text: str) -> int:
        """Return how many characters at the end may be the start of a stop sequence."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-size:]
            if any(stop.startswith(tail) for stop in self._stops):
                return size
        return 0
