"""A deadline that moves often, on a timer that hardly ever does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf


class Patience:
    """Calls when the last deadline that was set has passed.

    It keeps one timer, armed for the earliest deadline so far and set again when it goes off too
    early: deadlines move with each read, and a timer costs more than all the rest of one.
    """

    __slots__ = ("_armed", "_loop", "_overdue", "_timer", "deadline")

    def __init__(self, loop: asyncio.AbstractEventLoop, overdue: Callable[[float], None]) -> None:
        """Wait for nothing yet; `overdue` gets the deadline that has passed, in loop time."""
        self._loop = loop
        self._overdue = overdue
        self._timer: asyncio.TimerHandle | None = None
        self._armed = inf
        self.deadline = inf
        """Where it is set without `expect`, it must not be earlier than before."""

    def expect(self, deadline: float) -> None:
        """Wait until that loop time from now on."""
        self.deadline = deadline
        if deadline < self._armed:
            if self._timer is not None:
                self._timer.cancel()
            self._armed = deadline
            self._timer = self._loop.call_at(deadline, self._due)

    def stop(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed = inf

    def _due(self) -> None:
        self._timer = None
        self._armed = inf
        if self._loop.time() < self.deadline:
            self.expect(self.deadline)
        else:
            self._overdue(self.deadline)
