"""What is done again and again with the store of a running gateway, in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from inhouse.errors import InhouseError
from inhouse.store.registry import Registry

REFRESH_EVERY = 1.0
"""Seconds between looks at the registry's revision: another replica may have changed it."""
PRUNE_EVERY = 3600.0
"""Seconds between removals of old traces."""


class Log(Protocol):
    """Writes lines, and never fails."""

    def failure(self, event: str, **facts: object) -> None:
        """Note something that went wrong around us."""
        ...


async def follow(
    registry: Registry, current: Callable[[], int], refresh: Callable[[], Awaitable[None]], log: Log
) -> None:
    """Refresh when the registry's revision is no longer the `current` one; never returns."""
    complained = False
    while True:
        await asyncio.sleep(REFRESH_EVERY)
        try:
            if await asyncio.to_thread(registry.revision) != current():
                await refresh()
            complained = False
        except InhouseError as error:
            # Keys and routes in memory go on serving while the store is away.
            if not complained:
                log.failure("registry not readable", why=str(error))
            complained = True


async def prune(registry: Registry, days: Callable[[], int], log: Log) -> None:
    """Remove old traces and counts of minutes, at start and then now and again; never returns."""
    while True:
        try:
            await asyncio.to_thread(registry.traces.prune, days())
            await asyncio.to_thread(registry.counters.prune)
        except InhouseError as error:
            log.failure("old traces and counts not removed", why=str(error))
        await asyncio.sleep(PRUNE_EVERY)
