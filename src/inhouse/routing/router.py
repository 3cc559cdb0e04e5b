"""Ask the deployments of a target in turn until one answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
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
from inhouse.routing.choosing import ordered
from inhouse.routing.late import Late
from inhouse.routing.passage import Passage, resting
from inhouse.routing.retries import PAUSE, TRANSIENT
from inhouse.routing.standing import Standing, Standings
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


class Router:
    """Streams from the first deployment of a target that answers."""

    def __init__(
        self,
        provider: Callable[[Deployment], Provider],
        standings: Standings,
        settings: Callable[[], Settings],
    ) -> None:
        """`provider` finds the code that talks to a deployment's upstream."""
        self._provider = provider
        self._standings = standings
        self._settings = settings

    async def stream(
        self, target: Target, prepare: Prepare, witness: Witness, watch: Watch, affinity: str = ""
    ) -> AsyncGenerator[Delta]:
        """Yield the answer's deltas.

        A retryable `UpstreamError` before the first delta goes on to the next deployment, and from
        the last one once more to one whose failure may be over, if its retry budget allows that.
        Behind the first delta nothing is asked again, since the caller has seen text.

        Raises:
            UpstreamError: the last deployment tried failed, none can work as it is configured, all
                rest, or the request's time is up.

        """
        plan = [self._standings[each] for each in ordered(target, self._standings, affinity)]
        again: Standing | None = None
        retried = False
        failure: UpstreamError | None = None
        for standing in plan:
            begun = False
            try:
                deltas = self._attempt(target, standing, prepare, witness, watch)
                async with contextlib.aclosing(deltas):
                    async for delta in deltas:
                        begun = True
                        yield delta
            except UpstreamError as error:
                # A failure says more than that another one is left alone.
                if failure is None or error.failure is not UpstreamFailure.RESTING:
                    failure = error
                if begun or not error.retryable:
                    raise
                if error.failure in TRANSIENT:
                    again = standing
            else:
                return
            if standing is plan[-1] and again is not None and not retried and again.retries.spend():
                retried = True
                await self._pause(target, again, watch)
                plan.append(again)
        if failure is None:
            raise RuntimeError("A target has no deployment.")
        raise failure

    async def _attempt(
        self,
        target: Target,
        standing: Standing,
        prepare: Prepare,
        witness: Witness,
        watch: Watch,
    ) -> AsyncGenerator[Delta]:
        """Ask one deployment, unless it rests; raises `UpstreamError`."""
        if not standing.circuit.admits():
            raise resting(standing)
        deployment, settings = standing.deployment, self._settings()
        witness.tried(deployment.name, deployment.family)
        standing.retries.earn()
        late = Late(target, deployment, settings, watch)
        begun = False
        try:
            async with Passage(target, standing, late, settings, watch) as passage:
                provider = self._provider(deployment)
                asked = await watch.wait(prepare(deployment, provider), late.first, late.not_begun)
                # Of a whole answer the first token comes when the last one is there.
                due = late.total if asked.whole else late.first
                why = late.not_finished if asked.whole else late.not_begun
                params = msgspec.structs.replace(asked.params, deadlines=late.left())
                deltas = asked.begin(params)
                async with contextlib.aclosing(deltas):
                    while (delta := await watch.wait(anext(deltas, None), due, why)) is not None:
                        if not begun:
                            passage.answered()
                            begun, why = True, late.silent
                        witness.received(delta)
                        yield delta
                        due = late.next()
        except UpstreamError as error:
            witness.failed(error)
            raise
        except (ConfigError, NotFoundError) as error:
            failure = _misconfigured(deployment, error)
            witness.failed(failure)
            raise failure from error

    async def _pause(self, target: Target, standing: Standing, watch: Watch) -> None:
        late = Late(target, standing.deployment, self._settings(), watch)
        await watch.wait(asyncio.sleep(PAUSE), late.total, late.not_finished)


def _misconfigured(deployment: Deployment, error: InhouseError) -> UpstreamError:
    """Say it so that it does not blame the caller: an administrator has to mend it."""
    return UpstreamError(
        UpstreamFailure.MISCONFIGURED,
        f"The deployment '{deployment.name}' cannot work as it is configured: {error}",
        deployment=deployment.name,
    )
