"""The name of the only model that an upstream serves, for requests that name none."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.ports import Provider
from inhouse.errors import InhouseError

KEEP = 300.0
"""Seconds that an upstream's word is trusted: it may be restarted with another model."""
KEEP_FAILURE = 30.0
PATIENCE = 2.0
"""Seconds that a request waits for the upstream's word."""
MOST = 256


class _Told(Struct, frozen=True):
    name: str
    until: float


class Singles:
    """Asks upstreams which models they serve, and remembers those that serve just one."""

    def __init__(
        self,
        provider: Callable[[Deployment], Provider],
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        """`provider` finds the code that talks to a deployment's upstream.

        `clock` tells the seconds since whenever, `patience` is in seconds.
        """
        self._provider = provider
        self._clock = clock
        self._patience = patience
        self._told: OrderedDict[str, _Told] = OrderedDict()

    async def name(self, deployment: Deployment) -> str:
        """Return the name of the only model, empty where there are more or nobody tells."""
        told = self._told.get(deployment.name)
        if told is None or told.until < self._clock():
            name = await self._ask(deployment)
            keep = KEEP if name else KEEP_FAILURE
            told = self._told[deployment.name] = _Told(name, self._clock() + keep)
            while len(self._told) > MOST:
                self._told.popitem(last=False)
        return told.name

    async def _ask(self, deployment: Deployment) -> str:
        try:
            async with asyncio.timeout(self._patience):
                served = await self._provider(deployment).served(deployment)
        except (InhouseError, TimeoutError):
            return ""
        return served[0].name if len(served) == 1 else ""
