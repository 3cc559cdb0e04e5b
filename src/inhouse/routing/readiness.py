"""Which deployments cannot answer yet, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from inhouse.core.catalog import Deployment
from inhouse.core.ports import Provider, Warming
from inhouse.errors import InhouseError


class Readiness:
    """Warms deployments that need it, in the background, and tells how far they are."""

    def __init__(self, provider: Callable[[Deployment], Provider]) -> None:
        """`provider` finds the code that talks to a deployment's upstream."""
        self._provider = provider
        self._warming: dict[Deployment, asyncio.Task[None]] = {}
        self._waiting: dict[str, str] = {}

    @property
    def waiting(self) -> Mapping[str, str]:
        """The deployments that cannot answer yet, by name, each with the reason in words."""
        return self._waiting

    def watch(self, deployments: Iterable[Deployment]) -> None:
        """Warm what is new among `deployments`, and forget what is no longer there."""
        wanted = list(deployments)
        for gone in [each for each in self._warming if each not in wanted]:
            self._warming.pop(gone).cancel()
            self._waiting.pop(gone.name, None)
        for deployment in wanted:
            if deployment not in self._warming:
                self._begin(deployment)

    async def aclose(self) -> None:
        """Stop warming."""
        tasks = list(self._warming.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, deployment: Deployment) -> None:
        try:
            provider = self._provider(deployment)
        except InhouseError as error:
            self._waiting[deployment.name] = str(error)
            return
        if isinstance(provider, Warming):
            self._waiting[deployment.name] = "starting"
            self._warming[deployment] = asyncio.create_task(self._warm(deployment, provider))

    async def _warm(self, deployment: Deployment, provider: Warming) -> None:
        def progress(share: float, doing: str) -> None:
            self._waiting[deployment.name] = f"{doing}, {share:.0%}"

        try:
            await provider.warm(deployment, progress)
        except InhouseError as error:
            self._waiting[deployment.name] = str(error)
        else:
            self._waiting.pop(deployment.name, None)
