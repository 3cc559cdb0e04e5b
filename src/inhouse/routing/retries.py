"""How many second tries an outage may cost."""

from __future__ import annotations

from inhouse.errors import UpstreamFailure

EARNED = 0.1
"""Second tries that each request earns: at most a tenth more load."""
SAVED = 10.0
"""Second tries in stock at most, and at first."""
PAUSE = 0.1
"""Seconds before a second try."""

TRANSIENT = frozenset(
    {
        UpstreamFailure.UNREACHABLE,
        UpstreamFailure.CLOSED,
        UpstreamFailure.SERVER,
    }
)
"""Failures that may be over in a moment; a request for an answer may be repeated, since it changes
nothing upstream."""


class RetryBudget:
    """A stock of second tries at one deployment, filled by its requests."""

    def __init__(self) -> None:
        """Start with a full stock."""
        self._stock = SAVED

    def earn(self) -> None:
        """A request is asked for the first time."""
        self._stock = min(SAVED, self._stock + EARNED)

    def spend(self) -> bool:
        """Take one second try; tells whether there was one."""
        if self._stock < 1:
            return False
        self._stock -= 1
        return True
