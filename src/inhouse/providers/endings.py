"""Ends answers at stop sequences that their upstream does not take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from inhouse.core.delta import Delta
from inhouse.core.stops import Stops


class Endings:
    """Watches each choice of one answer."""

    def __init__(self, stops: Sequence[str], choices: int = 1) -> None:
        """Expect `choices` of them; `stops` are not empty, and none of them is."""
        self._stops = stops
        self._left = choices
        self._watches: dict[int, Stops] = {}

    @property
    def done(self) -> bool:
        """Whether every choice has come to a stop sequence: the rest is for nobody."""
        return self._left <= 0

    def through(self, deltas: Iterable[Delta]) -> list[Delta]:
        """Return what of the next deltas stands before a stop sequence."""
        return [shown for delta in deltas if (shown := self._shown(delta)) is not None]

    def _shown(self, delta: Delta) -> Delta | None:
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
        return None if shown == Delta(index=delta.index, pieces=delta.pieces) else shown


def endings(stops: Sequence[str], choices: int = 1) -> Endings | None:
    """Return what watches for `stops`, None where there are none: nothing is done per delta."""
    return Endings(stops, choices) if stops else None


Read = Callable[[bytes], list[Delta]]
"""Returns the deltas of one event."""


def watching(ours: Endings | None, read: Read) -> Read:
    """Return `read` itself where nothing is watched, else what shows `ours` its deltas first."""
    return read if ours is None else lambda event: ours.through(read(event))
