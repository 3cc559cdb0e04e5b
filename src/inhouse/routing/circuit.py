"""A circuit breaker: leave a failing deployment alone, and try it again with one request."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from math import inf

from inhouse.errors import RETRYABLE, UpstreamError, UpstreamFailure

IN_A_ROW = 5
"""Failures in a row that open a circuit."""
REMEMBERED = 20
"""Outcomes looked back at."""
SHARE = 0.5
"""Share of failures among them, once there are that many, that opens a circuit."""
FIRST_REST = 1.0
LONGEST_REST = 30.0
"""Seconds that an open circuit rests, doubled with each failed probe."""
LONGEST_WISH = 120.0
"""Seconds of ``Retry-After`` that are believed."""

OURS = frozenset(
    {
        UpstreamFailure.RESTING,
        UpstreamFailure.BUSY,
        UpstreamFailure.FORBIDDEN,
        UpstreamFailure.DEADLINE,
    }
)
"""Failures of our own making, which say little about the upstream."""


NOT_THERE = frozenset(
    {
        UpstreamFailure.UNREACHABLE,
        UpstreamFailure.TLS,
        UpstreamFailure.CLOSED,
        UpstreamFailure.NOT_READY,
    }
)
"""Failures of an upstream that is not there; once it answers at all, it is worth a try."""


NO_PROBE = 0


class State(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit:
    """Passive health of one deployment: closed, open, or half-open with one request as a probe."""

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        turned: Callable[[], None] = lambda: None,
    ) -> None:
        """Start closed; `clock` returns seconds, by default those of the running loop.

        `turned` is called when it has opened or closed, not when a probe fails.
        """
        self._clock = clock or asyncio.get_running_loop().time
        self._turned = turned
        self._outcomes: deque[bool] = deque(maxlen=REMEMBERED)
        self._in_a_row = 0
        self._rest = FIRST_REST
        self._open = False
        self._until = 0.0
        self._probes = 0
        self._probing = NO_PROBE
        self.heard = -inf
        """When it last answered, by the clock."""
        self.last: UpstreamError | None = None
        """The failure that counted last, None once all is well again."""

    @property
    def state(self) -> State:
        """The state as it is now."""
        if not self._open:
            return State.CLOSED
        return State.HALF_OPEN if self._probing or self.remaining == 0 else State.OPEN

    @property
    def remaining(self) -> float:
        """Seconds until a request may pass as a probe."""
        return max(0.0, self._until - self._clock()) if self._open else 0.0

    def admits(self) -> bool:
        """Tell whether a request may pass now."""
        return not self._open or (not self._probing and self._clock() >= self._until)

    def enter(self) -> int:
        """A request passes; returns its number as a probe, `NO_PROBE` where it is none."""
        if not self._open:
            return NO_PROBE
        self._probes += 1
        self._probing = self._probes
        return self._probing

    def succeeded(self) -> None:
        """The upstream has answered."""
        opened = self._open
        if opened:
            self._outcomes.clear()
            self._rest = FIRST_REST
        self._open, self._probing = False, NO_PROBE
        self._in_a_row = 0
        self.heard = self._clock()
        self.last = None
        self._outcomes.append(True)
        if opened:
            self._turned()

    def failed(self, error: UpstreamError, *, probe: int = NO_PROBE) -> None:
        """The upstream failed; an error that is the request's own fault counts as an answer.

        Requests that were on their way when the circuit opened do not lengthen its rest.
        """
        if error.failure in OURS:
            self.abandoned(probe=probe)
            return
        if error.failure not in RETRYABLE:
            self.succeeded()
            return
        tested = probe and probe == self._probing
        self.abandoned(probe=probe)
        self.last = error
        self._in_a_row += 1
        self._outcomes.append(False)
        if error.retry_after:
            self._trip(min(error.retry_after, LONGEST_WISH))
        elif tested:
            self._rest = min(2 * self._rest, LONGEST_REST)
            self._trip(self._rest)
        elif self._open:
            return
        elif self._in_a_row >= IN_A_ROW or self._mostly_failing():
            self._trip(self._rest)

    def abandoned(self, *, probe: int = NO_PROBE) -> None:
        """The request was left before it told anything; if it was the probe, another may be."""
        if probe == self._probing:
            self._probing = NO_PROBE

    def probed(self) -> None:
        """An active probe reached the upstream: if it was not there, let the next request try.

        An upstream that was there and failed all the same may list its models at any time.
        """
        if self._open and self.last is not None and self.last.failure in NOT_THERE:
            self._until = self._clock()

    def unreachable(self, seconds: float) -> None:
        """An active probe did not reach the upstream: spend no request on it for `seconds`."""
        if self._open:
            self._until = max(self._until, self._clock() + seconds)

    def _mostly_failing(self) -> bool:
        full = len(self._outcomes) == REMEMBERED
        return full and self._outcomes.count(False) >= SHARE * REMEMBERED

    def _trip(self, seconds: float) -> None:
        until = self._clock() + seconds
        opened = self._open
        self._until = max(self._until, until) if opened else until
        self._open = True
        if not opened:
            self._turned()
