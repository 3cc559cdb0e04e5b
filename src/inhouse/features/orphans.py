"""Suggestions that are written on for a moment though nobody reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

PER_CALLER = 8
"""Of one caller, and the user it asks for: more than one person types at once."""
PER_DEPLOYMENT = 64
"""At one deployment: what they may cost at most."""


class Written(Protocol):
    """An answer that is still being written."""

    @property
    def deployment(self) -> str:
        """Who writes it, empty where that is not known yet."""
        ...

    def abort(self) -> None:
        """End it."""
        ...


class _Orphan(Struct, frozen=True):
    caller: object
    timer: asyncio.TimerHandle


class Orphans:
    """Knows them, and ends each when its time is up, or when somebody needs its place.

    An editor hangs up with each keystroke and asks again a moment later: what it then wants is
    often being written already.
    """

    def __init__(self, waiting: Callable[[str], int] = lambda _: 0) -> None:
        """`waiting` returns how many wait for a deployment of that name."""
        self._waiting = waiting
        # In the order of their coming.
        self._known: dict[Written, _Orphan] = {}
        self._closed = False

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._known)

    def take(self, answer: Written, caller: object, seconds: float) -> bool:
        """Let an answer be written on for so long; tells whether it may be, at all.

        Where there are too many, the oldest goes.
        """
        deployment = answer.deployment
        if self._closed or seconds <= 0 or self._waiting(deployment):
            return False
        self.release(answer)
        self._shrink(PER_CALLER, lambda _, orphan: orphan.caller == caller)
        self._shrink(PER_DEPLOYMENT, lambda answer, _: answer.deployment == deployment)
        timer = asyncio.get_running_loop().call_later(seconds, self._end, answer)
        self._known[answer] = _Orphan(caller, timer)
        return True

    def release(self, answer: Written) -> bool:
        """Hear that an answer is none, or none any more; tells whether it was one."""
        orphan = self._known.pop(answer, None)
        if orphan is None:
            return False
        orphan.timer.cancel()
        return True

    def make_way(self, deployment: str) -> int:
        """End those at a deployment, since somebody waits for it; return how many they were."""
        found = [answer for answer in self._known if answer.deployment == deployment]
        for answer in found:
            self._end(answer)
        return len(found)

    def end(self) -> None:
        """End them all."""
        for answer in list(self._known):
            self._end(answer)

    def close(self) -> None:
        """End them all, and take none from now on."""
        self._closed = True
        self.end()

    def _shrink(self, most: int, counts: Callable[[Written, _Orphan], bool]) -> None:
        found = [answer for answer, orphan in self._known.items() if counts(answer, orphan)]
        for answer in found[: max(0, len(found) + 1 - most)]:
            self._end(answer)

    def _end(self, answer: Written) -> None:
        if self.release(answer):
            answer.abort()
