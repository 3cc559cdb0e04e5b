"""How many requests may be under way to one origin."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from inhouse.transport.faults import busy, crowded
from inhouse.transport.limits import MAX_CONNECTIONS, WAITERS


class Room:
    """Holds `limit` requests; whoever finds no room waits, the longest goes first."""

    def __init__(self, place: str) -> None:
        """Belong to the origin that is called `place`."""
        self.limit = MAX_CONNECTIONS
        self.taken = 0
        self._place = place
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def enter(self, seconds: float) -> None:
        """Wait for room; raises UpstreamError behind `seconds`, or where too many wait."""
        if self.taken < self.limit:
            self.taken += 1
            return
        if len(self._waiters) >= WAITERS:
            raise crowded(self._place)
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # it was given room in the moment in which it gave up
            with contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
            if isinstance(error, TimeoutError):
                raise busy(self._place, self.limit, seconds) from None
            raise

    def leave(self) -> None:
        """Pass the room on, or count it as free."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.taken -= 1
