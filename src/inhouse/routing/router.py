"""Ask the deployments of a target in turn until one answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta
from inhouse.core.ports import Provider
from inhouse.core.settings import Settings
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.routing.attempt import Attempt, Prepare, Witness
from inhouse.routing.choosing import ordered
from inhouse.routing.late import Late
from inhouse.routing.retries import PAUSE, TRANSIENT
from inhouse.routing.standing import Standing, Standings
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch


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
        self,
        target: Target,
        prepare: Prepare,
        witness: Witness,
        admission: AbstractAsyncContextManager[Watch],
        affinity: str = "",
    ) -> AsyncGenerator[Delta]:
        """Yield the answer's deltas; `admission` lets the request in, and has its watch.

        A retryable `UpstreamError` before the first delta goes on to the next deployment, and from
        the last one once more to one whose failure may be over, if its retry budget allows that.
        Behind the first delta nothing is asked again, since the caller has seen text.

        Raises:
            UpstreamError: the last deployment tried failed, none can work as it is configured, all
                rest, or the request's time is up.

        """
        async with admission as watch:
            plan = [self._standings[each] for each in ordered(target, self._standings, affinity)]
            again: Standing | None = None
            retried = False
            failure: UpstreamError | None = None
            for standing in plan:
                deployment = standing.deployment
                attempt = Attempt(target, standing, witness, self._settings(), watch)
                try:
                    async with attempt:
                        asked = await prepare(deployment, self._provider(deployment))
                        async for delta in attempt.ask(asked):
                            attempt.received(delta)
                            yield delta
                            attempt.go_on()
                except UpstreamError as error:
                    # A failure says more than that another one is left alone.
                    if failure is None or error.failure is not UpstreamFailure.RESTING:
                        failure = error
                    if attempt.begun or not error.retryable:
                        raise
                    if error.failure in TRANSIENT:
                        again = standing
                else:
                    return
                if (
                    standing is plan[-1]
                    and again is not None
                    and not retried
                    and again.retries.spend()
                ):
                    retried = True
                    await self._pause(target, again, watch)
                    plan.append(again)
            if failure is None:
                raise RuntimeError("A target has no deployment.")
            raise failure

    async def _pause(self, target: Target, standing: Standing, watch: Watch) -> None:
        late = Late(target, standing.deployment, self._settings(), watch)
        await watch.wait(asyncio.sleep(PAUSE), late.total, late.not_finished)
