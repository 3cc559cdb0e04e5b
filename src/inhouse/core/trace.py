"""The record of one request: metadata, no text."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    """How a request ended; `REMEMBERED` is well, and without asking any deployment."""

    OK = "ok"
    REMEMBERED = "remembered"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    FAILED = "failed"


class Trace(Struct, frozen=True):
    """One request, as stored and logged.

    `started_at` is a Unix time in seconds; durations are milliseconds, None where the phase was
    never reached. `user` is whom the caller asked for, as far as it says. `deployments` are those
    tried, the one that answered last; `failures` are the machine words for what went wrong there,
    one each, as far as there were any. `error` is the machine word for what went wrong, never a
    message. `warnings` are sentences about a request that was answered, but otherwise than it
    asked.
    """

    id: str
    request_id: str
    started_at: float
    endpoint: str
    caller: str
    team: str
    user: str
    model: str
    feature: str
    outcome: Outcome
    status: int
    duration_ms: float
    first_delta_ms: float | None = None
    deployments: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    family: str = ""
    stream: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    deltas: int = 0
    finish_reason: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()
