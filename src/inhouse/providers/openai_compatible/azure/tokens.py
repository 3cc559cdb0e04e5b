"""A bearer token: fetched once for all who wait, renewed behind their backs before it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

RENEW_AT = 0.8
"""Share of its life after which a token is renewed."""
RETRY_AFTER = 30.0
"""Seconds until a renewal that failed, or one that an upstream's refusal asked for, comes again."""


class Token(Struct, frozen=True):
    """A token, and the seconds that it lives from now on."""

    value: str
    lifetime: float

    def __repr__(self) -> str:
        """Show no token."""
        return f"Token(lifetime={self.lifetime!r})"


class Tokens:
    """The token of one identity; belongs to one event loop."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Token]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask `fetch` when there is need; `clock` tells seconds."""
        self._fetch = fetch
        self._clock = clock
        self._value = ""
        self._due = self._end = 0.0
        self._refused_at = -RETRY_AFTER
        self._task: asyncio.Task[str] | None = None

    @property
    def value(self) -> str:
        """The last token, empty for none."""
        return self._value

    async def get(self) -> str:
        """Return a token that is good; raises what `fetch` raises.

        Whoever leaves while it is fetched leaves it to the others.
        """
        now = self._clock()
        if self._value and now < self._end:
            if now >= self._due:
                self._begin()
            return self._value
        return await asyncio.shield(self._begin())

    def refused(self, value: str) -> bool:
        """Hear that a token was refused; tell whether another may do better.

        Not where the last one was fetched for the same reason a moment ago: then the token is not
        what is wrong, and each request would fetch another.
        """
        if value != self._value:
            return True
        now = self._clock()
        if now - self._refused_at < RETRY_AFTER:
            return False
        self._refused_at = now
        self._value = ""
        return True

    async def aclose(self) -> None:
        """Stop fetching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> asyncio.Task[str]:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._renew(), name="token renewal")
            self._task.add_done_callback(_heard)
        return self._task

    async def _renew(self) -> str:
        # The next try is due later even if this one fails.
        self._due = self._clock() + RETRY_AFTER
        token = await self._fetch()
        now = self._clock()
        self._value = token.value
        self._due = now + RENEW_AT * token.lifetime
        self._end = now + token.lifetime
        return token.value


def _heard(task: asyncio.Task[str]) -> None:
    """Take note of a failure that nobody waits for: the next request that needs a token tells."""
    if not task.cancelled():
        task.exception()
