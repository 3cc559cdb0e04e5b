"""Credentials at hand: requests never wait for their renewal, unless there are none that hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.bedrock.chain import Held
from inhouse.providers.bedrock.signing import Keys

AHEAD = 900.0
"""Seconds before their end in which credentials are renewed."""
PAUSE = 30.0
"""Seconds between two looks at whether a renewal is due, and between two that were not due."""


class Credentials:
    """The keys of one identity, resolved in a thread and renewed in the background."""

    def __init__(
        self, resolve: Callable[[], Held], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`resolve` blocks, and asks for everything anew; `clock` tells seconds."""
        self._resolve = resolve
        self._clock = clock
        self._held: Held | None = None
        self._keys: Keys | None = None
        self._look_at = 0.0
        self._replaced_at: float | None = None
        self.renewing: asyncio.Task[Keys] | None = None
        """What runs in the background."""

    async def keys(self, patience: float) -> Keys:
        """Return the keys to sign with, waiting at most `patience` seconds for the first.

        Raises:
            UpstreamError: there are none, or not in time.
            ConfigError: botocore is not installed.

        """
        keys, held = self._keys, self._held
        if keys is None or held is None:
            return await self._wait(self._begin(anew=True), patience)
        if (now := self._clock()) >= self._look_at:
            if held.due(0):
                return await self._wait(self._begin(anew=False), patience)
            self._look_at = now + PAUSE
            if held.due(AHEAD):
                self._begin(anew=False)
        return keys

    async def replaced(self, refused: Keys, patience: float) -> Keys:
        """Return other keys than those that AWS has just refused, or the same if there are none."""
        if self._keys is not None and self._keys is not refused:
            return self._keys
        now = self._clock()
        if self.renewing is None:
            if self._replaced_at is not None and now < self._replaced_at + PAUSE:
                return refused
            self._replaced_at = now
        return await self._wait(self._begin(anew=True), patience)

    async def aclose(self) -> None:
        """Wait for nobody; a thread that still asks ends by its own timeouts."""
        if self.renewing is not None:
            self.renewing.cancel()
            await asyncio.gather(self.renewing, return_exceptions=True)

    def _begin(self, *, anew: bool) -> asyncio.Task[Keys]:
        task = self.renewing
        if task is None:
            task = self.renewing = asyncio.create_task(self._renew(None if anew else self._held))
            task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Keys]) -> None:
        self.renewing = None
        if not task.cancelled():
            # Who waits is told; a failed renewal ahead of time is tried again at the next look.
            task.exception()

    async def _renew(self, held: Held | None) -> Keys:
        held, keys = await asyncio.to_thread(self._ask, held)
        if keys != self._keys:
            self._keys = keys
        self._held = held
        self._look_at = self._clock() + PAUSE
        return self._keys or keys

    def _ask(self, held: Held | None) -> tuple[Held, Keys]:
        held = held or self._resolve()
        return held, held.keys()

    async def _wait(self, task: asyncio.Task[Keys], patience: float) -> Keys:
        try:
            # Shielded: others wait for the same keys, and one caller's hang-up is not theirs.
            # `wait_for` of Python 3.11 may take a cancellation for the keys that came with it.
            async with asyncio.timeout(patience):
                return await asyncio.shield(task)
        except TimeoutError:
            raise UpstreamError(
                UpstreamFailure.TIMEOUT,
                f"AWS credentials did not come within {patience:g} s.",
            ) from None
