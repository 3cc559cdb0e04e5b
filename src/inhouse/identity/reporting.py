"""What this room needs of the log, and how it keeps strangers from filling it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

EVERY = 60.0
"""Seconds between two lines of the same kind."""


class Log(Protocol):
    """Writes lines, and never fails."""

    def info(self, event: str, **facts: object) -> None:
        """Note something worth knowing."""
        ...

    def warning(self, event: str, **facts: object) -> None:
        """Note something that an administrator should look at."""
        ...

    def failure(self, event: str, **facts: object) -> None:
        """Note something that went wrong around us."""
        ...

    def defect(self, event: str, error: BaseException, **facts: object) -> None:
        """Note an error that we did not foresee."""
        ...


class Seldom:
    """Warns of each kind at most once a minute; kinds are our own words, so that they are few."""

    def __init__(self, log: Log, clock: Callable[[], float]) -> None:
        """Have said nothing yet."""
        self._log = log
        self._clock = clock
        self._said: dict[str, float] = {}
        self._kept: dict[str, int] = {}

    def warn(self, event: str, kind: str, why: str) -> None:
        """Warn, and tell how many of the kind were not told since the last line."""
        now = self._clock()
        if now - self._said.get(kind, float("-inf")) < EVERY:
            self._kept[kind] = self._kept.get(kind, 0) + 1
            return
        self._said[kind] = now
        self._log.warning(event, kind=kind, why=why, untold=self._kept.pop(kind, 0))
