"""How long and how much the transport puts up with."""

from __future__ import annotations

from msgspec import Struct

HIGH_WATER = 256 * 1024
"""Bytes of an answer that wait unread before the connection is paused."""
NOISE = 64 * 1024
"""Bytes without any body that one answer may hold in a row: headers, trailers, chunk extensions."""
HEADER_COUNT = 128
IDLE_SECONDS = 4.0
"""Below the five seconds after which common model servers close an idle connection."""
PROBATION_SECONDS = 0.05
"""How long a connection must live on behind a stream to show that the upstream keeps it."""
AGE_SECONDS = 300.0
"""An older connection is not used again, so that a changed DNS entry is noticed."""
LINGER_SECONDS = 1.0
"""How long the end of an answer that nobody reads any more is waited for."""
WAITERS = 1024
"""Requests that may wait for a connection to one upstream."""
MAX_CONNECTIONS = 256
ORIGINS = 1024
"""Origins beyond which those without a connection are forgotten."""


class Allowance(Struct, frozen=True):
    """Seconds that may be waited, and the name of the deadline that they come from."""

    seconds: float
    setting: str

    def __str__(self) -> str:
        """``5 s (connect_timeout)``."""
        return f"{self.seconds:.3g} s ({self.setting})"
