"""How many tokens a deployment really takes."""

from __future__ import annotations

import asyncio
import time

from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.ports import Provider
from inhouse.errors import InhouseError

KEEP = 300.0
"""Seconds that an upstream's word is trusted: it may be restarted with another length."""
KEEP_FAILURE = 30.0
KEPT = 1024
"""Deployments at most; requests may name ever new ones."""
PATIENCE = 2.0
"""Seconds that the first request waits for the upstream's word."""


class _Known(Struct, frozen=True):
    deployment: Deployment
    window: int | None
    until: float


class Windows:
    """Remembers the context windows that upstreams tell, one entry a deployment."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[int | None]] = {}

    async def window(self, deployment: Deployment, provider: Provider, default: int) -> int:
        """Return the window in tokens: the upstream's where it tells, else `default`.

        A deployment's own option ``window`` lowers it. The first request waits for the upstream, at
        most two seconds; later ones get the known figure while a stale one is asked for again.
        """
        known = self._known.get(deployment.name)
        if known is None or known.deployment != deployment:
            told = await self._first(deployment, provider)
        else:
            told = known.window
            if known.until < time.monotonic():
                self._ask(deployment, provider)
        declared = deployment.options.get("window")
        limits = [each for each in (told, declared) if isinstance(each, int) and each > 0]
        return min(limits, default=default)

    async def aclose(self) -> None:
        """Stop asking."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _first(self, deployment: Deployment, provider: Provider) -> int | None:
        task = self._ask(deployment, provider)
        try:
            # Shielded: others wait for the same answer, and one caller's hang-up is not theirs.
            # `wait_for` of Python 3.11 may take a cancellation for the answer that came with it.
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(task)
        except TimeoutError:
            self._remember(deployment, None, KEEP_FAILURE)
            return None

    def _ask(self, deployment: Deployment, provider: Provider) -> asyncio.Task[int | None]:
        task = self._asking.get(deployment.name)
        if task is None:
            task = asyncio.create_task(self._served(deployment, provider))
            self._asking[deployment.name] = task
            task.add_done_callback(lambda _: self._asking.pop(deployment.name, None))
        return task

    async def _served(self, deployment: Deployment, provider: Provider) -> int | None:
        try:
            models = await provider.served(deployment)
        except InhouseError:
            self._remember(deployment, None, KEEP_FAILURE)
            return None
        told = {model.name: model.window for model in models}
        # A server of one model often answers to any name.
        window = told.get(deployment.model, models[0].window if len(models) == 1 else None)
        self._remember(deployment, window, KEEP)
        return window

    def _remember(self, deployment: Deployment, window: int | None, seconds: float) -> None:
        until = time.monotonic() + seconds
        if deployment.name not in self._known and len(self._known) >= KEPT:
            del self._known[next(iter(self._known))]
        self._known[deployment.name] = _Known(deployment, window, until)
