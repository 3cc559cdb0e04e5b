"""One deployment is asked: in its queue, within its times, and what went wrong in our words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

import msgspec
from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta
from inhouse.core.ports import Provider
from inhouse.core.prompt import Prompt
from inhouse.core.requests import Params
from inhouse.core.settings import Settings
from inhouse.errors import (
    ConfigError,
    InhouseError,
    NotFoundError,
    UpstreamError,
    UpstreamFailure,
)
from inhouse.routing.late import Late
from inhouse.routing.passage import Passage, resting
from inhouse.routing.standing import Standing
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch


class Asked(Struct, frozen=True):
    """How one deployment is asked: `begin` takes the params, with the deadlines that are left.

    A `whole` answer comes in one piece, its first word with its last one.
    """

    params: Params
    begin: Callable[[Params], AsyncGenerator[Delta]]
    whole: bool = False

    @classmethod
    def in_text(
        cls, deployment: Deployment, provider: Provider, prompt: Prompt, params: Params
    ) -> Self:
        """Return how a deployment is asked for text."""
        whole = provider.answers_whole(deployment, params)
        return cls(params, lambda params: provider.stream(deployment, prompt, params), whole)


class Witness(Protocol):
    """Who is told of each deployment tried, each that failed, and each delta received."""

    def tried(self, deployment: str, family: str) -> None:
        """Note that this deployment is asked next."""
        ...

    def failed(self, error: UpstreamError) -> None:
        """Note that the deployment asked last did not answer, or not to the end."""
        ...

    def received(self, delta: Delta) -> None:
        """Note a delta."""
        ...


Prepare = Callable[[Deployment, Provider], Awaitable[Asked]]
"""Renders a request for one deployment; each may have another family and window."""


class Attempt:
    """Asks one deployment in its block, which raises only `UpstreamError` of its own.

    Whatever is awaited in the block is watched over: what is late is cancelled, and said in words.
    Whoever hands a delta on calls `received` before, and `go_on` when the reader wants the next.
    """

    __slots__ = (
        "_deltas",
        "_late",
        "_passage",
        "_standing",
        "_watch",
        "_whole",
        "_why",
        "_witness",
        "begun",
    )

    def __init__(
        self,
        target: Target,
        standing: Standing,
        witness: Witness,
        settings: Settings,
        watch: Watch,
    ) -> None:
        """Ask nothing yet."""
        late = Late(target, standing.deployment, settings, watch)
        self._late = late
        self._passage = Passage(target, standing, late, settings, watch)
        self._standing = standing
        self._watch = watch
        self._why = late.not_begun
        self._witness = witness
        self._deltas: AsyncGenerator[Delta] | None = None
        self._whole = False
        self.begun = False
        """Whether a delta has come."""

    async def __aenter__(self) -> Self:
        """Wait for a slot; raises `UpstreamError` where there is none in time, or it rests."""
        standing, late = self._standing, self._late
        if not standing.circuit.admits():
            raise resting(standing)
        deployment = standing.deployment
        self._witness.tried(deployment.name, deployment.family)
        standing.retries.earn()
        try:
            await self._passage.enter()
        except UpstreamError as error:
            self._witness.failed(error)
            raise
        try:
            self._watch.begin(late.first, late.not_begun)
        except InhouseError as error:
            self._end(error)
            raise
        return self

    def ask(self, asked: Asked) -> AsyncGenerator[Delta]:
        """Return the answer, which this block closes."""
        late = self._late
        self._whole = asked.whole
        if asked.whole:
            # Of a whole answer the first token comes when the last one is there.
            self._why = late.not_finished
            self._watch.begin(late.total, self._why)
        deltas = asked.begin(msgspec.structs.replace(asked.params, deadlines=late.left()))
        self._deltas = deltas
        return deltas

    def received(self, delta: Delta) -> None:
        """A delta is there: what its reader does with it is not the upstream's time."""
        self._watch.rest()
        if not self.begun:
            self.begun, self._why = True, self._late.silent
            self._passage.answered()
        self._witness.received(delta)

    def go_on(self) -> None:
        """The reader wants the next delta."""
        late = self._late
        # A whole answer is there with its first delta: what follows is its end.
        self._watch.begin(late.total if self._whole else late.next(), self._why)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Hang up where the answer goes on, and give the slot back."""
        struck = self._watch.struck(error)
        self._watch.rest()
        try:
            # An answer that has come to its end needs no closing.
            if error is not None and self._deltas is not None:
                await self._deltas.aclose()
        finally:
            misconfigured = isinstance(error, ConfigError | NotFoundError)
            ended = _misconfigured(self._standing.deployment, error) if misconfigured else struck
            self._end(ended or error)
        if ended is not None:
            raise ended from (error if misconfigured else None)

    def _end(self, error: BaseException | None) -> None:
        """Tell the circuit and the witness."""
        self._passage.leave(error)
        if isinstance(error, UpstreamError):
            self._witness.failed(error)


def _misconfigured(deployment: Deployment, error: InhouseError) -> UpstreamError:
    """Say it so that it does not blame the caller: an administrator has to mend it."""
    return UpstreamError(
        UpstreamFailure.MISCONFIGURED,
        f"The deployment '{deployment.name}' cannot work as it is configured: {error}",
        deployment=deployment.name,
    )
