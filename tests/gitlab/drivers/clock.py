"""A clock that stands still until somebody moves it."""

import asyncio
import heapq
import itertools
import time


class Clock:
    """Seconds since the clock was made; whoever sleeps is woken when they have passed."""

    def __init__(self) -> None:
        self.now = 0.0
        self._start = time.time()
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._slept = asyncio.Event()

    @property
    def unix(self) -> float:
        """The Unix time."""
        return self._start + self.now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleeping, (self.now + seconds, next(self._order), woken))
        self._slept.set()
        await woken

    async def until_sleeping(self, seconds: float) -> None:
        """Wait until somebody sleeps who wants to be woken in just so many seconds."""
        until = self.now + seconds
        while not any(each == until and not woken.done() for each, _, woken in self._sleeping):
            self._slept.clear()
            await self._slept.wait()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        while self._sleeping and self._sleeping[0][0] <= self.now:
            _, _, woken = heapq.heappop(self._sleeping)
            if not woken.done():
                woken.set_result(None)
