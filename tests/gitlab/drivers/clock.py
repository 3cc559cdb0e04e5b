"""A clock that stands still until somebody moves it."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.fakes.http import PATIENCE

Result = TypeVar("Result")


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

    async def within(self, seconds: float, asking: Coroutine[Any, Any, Result]) -> Result:
        """Return what comes in time; else end it and raise TimeoutError."""
        asked, late = asyncio.create_task(asking), asyncio.create_task(self.sleep(seconds))
        try:
            await asyncio.wait([asked, late], return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                return asked.result()
            raise TimeoutError(f"no answer in {seconds} s")
        finally:
            asked.cancel()
            late.cancel()
            await asyncio.gather(asked, late, return_exceptions=True)

    async def until_sleeping(self, seconds: float) -> None:
        """Wait until somebody sleeps who wants to be woken in just so many seconds."""
        until = self.now + seconds
        async with asyncio.timeout(PATIENCE):
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
