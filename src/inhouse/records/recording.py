"""One request while it runs; it becomes a `Trace` when it ends."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from inhouse.core.delta import Delta, Usage
from inhouse.core.trace import Outcome, Trace
from inhouse.errors import InhouseError, RequestError, UpstreamError

CLIENT_CLOSED_REQUEST = 499
"""The status noted when the caller hung up; nginx's convention, never sent."""


class Recording:
    """Collects what is known of one request; a context manager that hands its trace on at exit.

    Leaving with an exception notes its outcome: a cancellation or a closed iterator is the caller's
    hang-up. `fail` notes an error that was translated to an answer inside the block.
    """

    __slots__ = (
        "_done",
        "_error",
        "_left",
        "_outcome",
        "_prompt_estimate",
        "_remembered",
        "_started_at",
        "_started_clock",
        "_told",
        "caller",
        "completion_tokens",
        "cut",
        "deltas",
        "deployments",
        "endpoint",
        "failures",
        "family",
        "feature",
        "finish_reason",
        "first_delta",
        "id",
        "model",
        "prompt_tokens",
        "request_id",
        "status",
        "stays",
        "stream",
        "team",
        "user",
        "warnings",
    )

    def __init__(self, *, request_id: str, endpoint: str, done: Callable[[Trace], None]) -> None:
        """Start the clock; `done` gets the trace, and must neither raise nor wait."""
        self._done = done
        self._started_at = time.time()
        self._started_clock = time.perf_counter()
        self._outcome = Outcome.OK
        self._error = ""
        self._left = False
        self._prompt_estimate = 0
        self._remembered = ""
        self._told = False
        # Ids must differ, not be secret, and the operating system's randomness costs a call. They
        # begin with the time, so that a row's place in the store's index is beside the last one's:
        # among random ids each row would have a page of its own to be written.
        self.id = f"{int(self._started_at * 1000) << 80 | random.getrandbits(80):032x}"
        self.request_id = request_id or self.id
        self.endpoint = endpoint
        self.caller = ""
        self.team = ""
        self.user = ""
        self.model = ""
        self.feature = ""
        self.family = ""
        self.deployments: tuple[str, ...] = ()
        self.failures: tuple[str, ...] = ()
        self.stream = False
        self.stays: Callable[[], bool] | None = None
        """Tells whether a request that its caller has left goes on; none does unless this says so.
        """
        self.status = 200
        self.first_delta: float | None = None
        self.deltas = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.finish_reason = ""
        self.cut = False
        """Whether we ended the answer by its length: for want of time, say."""
        self.warnings: tuple[str, ...] = ()

    @property
    def deployment(self) -> str:
        """The deployment that answers: the one asked last, else the one that is remembered."""
        return self.deployments[-1] if self.deployments else self._remembered

    @property
    def remembered(self) -> bool:
        """Whether nobody was asked, since an earlier answer told enough."""
        return self._outcome is Outcome.REMEMBERED

    @property
    def elapsed(self) -> float:
        """Seconds since the request came."""
        return time.perf_counter() - self._started_clock

    def warn(self, sentence: str) -> None:
        """Note that the request is answered otherwise than it asked."""
        self.warnings = (*self.warnings, sentence)

    def tried(self, deployment: str, family: str) -> None:
        """Note that this deployment is asked next."""
        self.deployments = (*self.deployments, deployment)
        self.family = family

    def estimated(self, prompt_tokens: int) -> None:
        """Note about how long the prompt is: what counts where the upstream never tells."""
        self._prompt_estimate = prompt_tokens

    def left_early(self, finish_reason: str) -> Usage:
        """Note that we ended the answer ourselves; return the usage so far."""
        self.finish_reason = finish_reason
        self.cut = finish_reason == "length"
        return self.usage

    def superseded(self) -> Usage:
        """Note that a later request took this one's place; return the usage so far."""
        self._outcome = Outcome.SUPERSEDED
        return self.left_early("stop")

    def remembers(self, deployment: str, family: str) -> None:
        """Note that nobody is asked: the answer goes on where an earlier one of these has begun."""
        self._outcome = Outcome.REMEMBERED
        self._remembered, self.family = deployment, family

    def left(self) -> bool:
        """Note that the caller has hung up; tell whether what it asked for goes on all the same."""
        self._left = True
        return self.stays is not None and self.stays()

    def failed(self, error: UpstreamError) -> None:
        """Note that the deployment asked last did not answer, or not to the end."""
        missing = len(self.deployments) - len(self.failures) - 1
        self.failures = (*self.failures, *("",) * missing, error.failure.value)

    @property
    def usage(self) -> Usage:
        """The tokens so far: as the upstream told, else an estimate, one token a delta."""
        if self._told or not self.deltas:
            return Usage(prompt_tokens=self.prompt_tokens, completion_tokens=self.completion_tokens)
        return Usage(prompt_tokens=self._prompt_estimate, completion_tokens=self.deltas)

    def received(self, delta: Delta) -> None:
        """Note a delta on its way from the upstream."""
        if self.first_delta is None:
            self.first_delta = time.perf_counter()
        self.deltas += delta.pieces
        if delta.finish_reason is not None:
            self.finish_reason = delta.finish_reason
        if delta.usage is not None:
            self._told = True
            self.prompt_tokens = delta.usage.prompt_tokens
            self.completion_tokens = delta.usage.completion_tokens

    def fail(self, error: BaseException, status: int) -> None:
        """Note an error and the HTTP status that the caller is answered with."""
        self.status = status
        # The admin API also refuses what the registry cannot take.
        refused = isinstance(error, RequestError) or (
            status < 500 and not isinstance(error, UpstreamError)
        )
        self._outcome = Outcome.REFUSED if refused else Outcome.FAILED
        self._error = error_word(error)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the trace and hand it on; exceptions pass."""
        if error is not None or self._left:
            self._left_by(error)
        self._done(self._trace())

    def _left_by(self, error: BaseException | None) -> None:
        if self._left or isinstance(error, asyncio.CancelledError | GeneratorExit):
            self.status, self._outcome, self._error = CLIENT_CLOSED_REQUEST, Outcome.CANCELLED, ""
        elif error is not None:
            self.fail(error, 500)

    def _trace(self) -> Trace:
        ended, started, first = time.perf_counter(), self._started_clock, self.first_delta
        usage = self.usage
        # In its fields' order: by name it takes seven times as long.
        return Trace(
            self.id,
            self.request_id,
            self._started_at,
            self.endpoint,
            self.caller,
            self.team,
            self.user,
            self.model,
            self.feature,
            self._outcome,
            self.status,
            _milliseconds(ended - started),
            None if first is None else _milliseconds(first - started),
            self.deployments,
            self.failures,
            self.family,
            self.stream,
            usage.prompt_tokens,
            usage.completion_tokens,
            self.deltas,
            self.finish_reason,
            self._error,
            self.warnings,
        )


def _milliseconds(seconds: float) -> float:
    """Return them to the microsecond; `round` takes four times as long."""
    return int(seconds * 1_000_000) / 1000


def error_word(error: BaseException) -> str:
    """Return the machine word for an error: an upstream's failure, else the class in snake case."""
    if isinstance(error, UpstreamError):
        return error.failure.value
    if not isinstance(error, InhouseError):
        return "internal"
    name = type(error).__name__.removesuffix("Error")
    return "".join("_" + each.lower() if each.isupper() else each for each in name).lstrip("_")
