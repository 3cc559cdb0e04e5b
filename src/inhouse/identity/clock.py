"""Time, as this room knows it: tests bring their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct


class Clock(Struct, frozen=True):
    """Seconds that only grow, Unix time in seconds, and what waits for a number of seconds."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
