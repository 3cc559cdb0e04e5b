"""Ends answers at their stop sequences, for upstreams that do not take any."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from inhouse.core.delta import Delta
from inhouse.core.stops import Stops


class Endings:
    """Watches each choice of one answer."""

    def __init__(self, stops: Sequence[str], choices: int) -> None:
        """Expect `choices` of them; without `stops` everything passes."""
        self._stops = stops
        self._left = choices
        self._watches: dict[int, Stops] = {}

    @property
    def done(self) -> bool:
        """Whether every choice has come to a stop sequence: the rest is for nobody."""
        return self._left <= 0

    def feed(self, delta: Delta) -> Delta | None:
        """Return what stands before a stop sequence; None where that is nothing."""
        if not self._stops:
            return delta
        watch = self._watches.get(delta.index)
        if watch is None:
            watch = self._watches[delta.index] = Stops(self._stops)
        if watch.done:
            return None
        text = watch.feed(delta.text)
        if watch.done:
            self._left -= 1
            return msgspec.structs.replace(delta, text=text, finish_reason="stop")
        if delta.finish_reason is not None:
            text += watch.finish()
        shown = msgspec.structs.replace(delta, text=text)
        return None if shown == Delta(index=delta.index) else shown
