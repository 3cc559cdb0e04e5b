"""Read something anew when it is missed: once for all who wait, and not again right away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from inhouse.identity.clock import Clock

PATIENCE = 2.0
"""Seconds that anybody waits for it."""


class Look:
    """Reads anew, never twice at a time nor too soon; belongs to one event loop."""

    def __init__(
        self,
        read: Callable[[], Awaitable[None]],
        *,
        spacing: float,
        clock: Clock,
    ) -> None:
        """`read` raises nothing; `spacing` is the least number of seconds from look to look."""
        self._read = read
        self._spacing = spacing
        self._clock = clock
        self._begun = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def now(self) -> None:
        """Look, together with whoever looks already, and wait for the end."""
        await asyncio.shield(self._begin())

    async def missed(self) -> None:
        """Look unless that was done a moment ago; wait only for a short time."""
        elapsed = self._clock.monotonic() - self._begun
        if self._task is None and elapsed < self._spacing:
            return
        patience = asyncio.ensure_future(self._clock.sleep(PATIENCE))
        try:
            await asyncio.wait([self._begin(), patience], return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()

    async def aclose(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> asyncio.Task[None]:
        if self._task is None:
            self._begun = self._clock.monotonic()
            self._task = asyncio.create_task(self._look(), name="look for keys")
        return self._task

    async def _look(self) -> None:
        try:
            await self._read()
        finally:
            self._task = None
