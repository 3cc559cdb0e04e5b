"""Ask the deployments of a target in turn until one answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta
from inhouse.core.ports import Provider
from inhouse.core.prompt import Prompt
from inhouse.core.requests import Params
from inhouse.errors import (
    ConfigError,
    InhouseError,
    NotFoundError,
    UpstreamError,
    UpstreamFailure,
)
from inhouse.routing.target import Target


class Asked(Struct, frozen=True):
    """What one deployment is asked."""

    prompt: Prompt
    params: Params


class Witness(Protocol):
    """Who is told of each deployment tried and each delta received."""

    def tried(self, deployment: str, family: str) -> None:
        """Note that this deployment is asked next."""
        ...

    def received(self, delta: Delta) -> None:
        """Note a delta."""
        ...


Prepare = Callable[[Deployment, Provider], Awaitable[Asked]]
"""Renders a request for one deployment; each may have another family and window."""


class Router:
    """Streams from the first deployment of a target that answers."""

    def __init__(self, provider: Callable[[Deployment], Provider]) -> None:
        """`provider` finds the code that talks to a deployment's upstream."""
        self._provider = provider

    async def stream(
        self, target: Target, prepare: Prepare, witness: Witness
    ) -> AsyncGenerator[Delta]:
        """Yield the answer's deltas.

        A retryable `UpstreamError` before the first delta goes on to the next deployment; behind it
        nothing is asked again, since the caller has seen text.

        Raises:
            UpstreamError: the last deployment tried failed, or none can work as it is configured.

        """
        last = len(target.deployments) - 1
        for position, deployment in enumerate(target.deployments):
            witness.tried(deployment.name, deployment.family)
            begun = False
            try:
                provider = self._provider(deployment)
                asked = await prepare(deployment, provider)
                async with contextlib.aclosing(
                    provider.stream(deployment, asked.prompt, asked.params)
                ) as deltas:
                    async for delta in deltas:
                        begun = True
                        witness.received(delta)
                        yield delta
            except UpstreamError as error:
                failure = error
            except (ConfigError, NotFoundError) as error:
                failure = _misconfigured(deployment, error)
            else:
                return
            if begun or position == last or not failure.retryable:
                raise failure


def _misconfigured(deployment: Deployment, error: InhouseError) -> UpstreamError:
    """Say it so that it does not blame the caller: an administrator has to mend it."""
    return UpstreamError(
        UpstreamFailure.MISCONFIGURED,
        f"The deployment '{deployment.name}' cannot work as it is configured: {error}",
        deployment=deployment.name,
    )
