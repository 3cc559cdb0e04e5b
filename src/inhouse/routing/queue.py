"""How many requests run at a deployment at once, and who goes first when there are more."""

from __future__ import annotations

import asyncio
from heapq import heapify, heappop, heappush

from msgspec import Struct

from inhouse.errors import UpstreamError, UpstreamFailure

BUSY_SECONDS = 1.0
"""After how long a refused request is advised to come again."""


class _Waiter(Struct, order=True):
    """Ordered by urgency, then by arrival."""

    priority: int
    number: int
    turn: asyncio.Future[None]


class Queue:
    """Slots of one deployment, and a bounded queue before them.

    The most urgent priority goes first, 0 before 1; among equals who came first. A full queue
    refuses whoever is least urgent, be it the newcomer or one that waits.
    """

    def __init__(self, name: str) -> None:
        """`name` is the deployment's, for messages."""
        self._name = name
        self._waiting: list[_Waiter] = []
        self._arrivals = 0
        self._limit: int | None = None
        self.running = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self, limit: int | None) -> bool:
        """Take a slot where one is free and nobody waits; tells whether that is so."""
        self.resize(limit)
        if limit is not None and self.running >= limit:
            return False
        self.running += 1
        return True

    def resize(self, limit: int | None) -> None:
        """Let so many run at once, None for any number; those in who waited for no more."""
        self._limit = limit
        while self._waiting and (limit is None or self.running < limit):
            if self._pass_on():
                self.running += 1

    async def wait(self, priority: int, longest: int) -> None:
        """Wait for a slot, and take it; cancelling gives up.

        Raises:
            UpstreamError: more than `longest` wait already, and none of them less urgent.

        """
        self._make_room(priority, longest)
        self._arrivals += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(priority, self._arrivals, turn)
        heappush(self._waiting, waiter)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # the slot came in the moment in which we gave up
            else:
                self._forget(waiter)
            raise

    def leave(self) -> None:
        """Give a slot back, or on to the one whose turn it is."""
        # Where the limit was lowered, more run than may.
        spare = self._limit is not None and self.running > self._limit
        if spare or not self._pass_on():
            self.running -= 1

    def _pass_on(self) -> bool:
        """Give a slot to the one whose turn it is; tells whether there was one."""
        while self._waiting:
            turn = heappop(self._waiting).turn
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    def _make_room(self, priority: int, longest: int) -> None:
        # One that was cancelled stands here until its task has run.
        self._waiting = [each for each in self._waiting if not each.turn.done()]
        heapify(self._waiting)
        if len(self._waiting) < longest:
            return
        last = max(self._waiting, default=None)
        if last is None or last.priority <= priority:
            raise self._busy()
        self._forget(last)
        last.turn.set_exception(self._busy())

    def _forget(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            heapify(self._waiting)

    def _busy(self) -> UpstreamError:
        return UpstreamError(
            UpstreamFailure.BUSY,
            f"The deployment '{self._name}' is busy: as many requests as it takes run and wait"
            " already. Try again in a moment.",
            deployment=self._name,
            retry_after=BUSY_SECONDS,
        )
