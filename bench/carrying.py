"""How many streams of 50 tokens a second a server carries before their tokens come late.

Requests arrive evenly, as from people who do not know of each other, so that each moment has its
share of beginnings and ends. The tools share a core and tire as well: what they carry with nothing
between bounds what can be seen of a server.
"""

from __future__ import annotations

from msgspec import Struct

from ctools import Tools
from loads import CARRIED
from measure import Live, UnansweredError, loadgen, note

STEP = 50
MOST = 1000
LATE_US = 20_000
"""A server carries what it delays by less than this at p99."""
WARM_UP = 2.2
"""Seconds until as many streams run as end."""
MEASURED = 2.5
STREAM_SECONDS = 2.1
"""How long one takes, with a little room: fewer requests come than connections are free."""


class Carried(Struct, frozen=True):
    """The most streams whose tokens were in time, and how those fared; times in microseconds."""

    streams: int
    delay_p50_us: float
    delay_p99_us: float


def carried(live: Live, tools: Tools) -> Carried:
    """Find by halving what a server carries, between `STEP` and `MOST` streams."""
    best = Carried(0, 0, 0)
    low, high = 0, MOST // STEP
    while low < high:
        middle = (low + high + 1) // 2
        found = _try(live, tools, middle * STEP)
        if found.delay_p99_us < LATE_US:
            low, best = middle, found
        else:
            high = middle - 1
    note(f"{live.stack.name} carries {best.streams} streams")
    return best


def _try(live: Live, tools: Tools, streams: int) -> Carried:
    body = live.stack.folder / "body.json"
    body.write_bytes(CARRIED.body(live.stack.before))
    rate = ("-w", str(WARM_UP), "-R", str(streams / STREAM_SECONDS))
    try:
        told = loadgen(live, CARRIED, tools, body, streams, MEASURED, *rate)
    except UnansweredError as error:
        note(str(error))
        return Carried(streams, LATE_US, LATE_US)
    return Carried(streams, told["cd50"], told["cd99"])
