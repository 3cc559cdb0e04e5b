"""Which deployments cannot answer yet, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from inhouse.core.catalog import Catalog, Deployment
from inhouse.core.ports import Provider, Warming
from inhouse.errors import InhouseError

WARM_EVERY = 300.0
"""Seconds between warmings: what a deployment answers from, a repository say, may have changed."""


class Readiness:
    """Warms deployments that need it, in the background, and tells how far they are."""

    def __init__(
        self,
        provider: Callable[[Deployment], Provider],
        failed: Callable[[Deployment, InhouseError], None],
    ) -> None:
        """`provider` finds the code that talks to a deployment's upstream.

        `failed` is told why a deployment cannot answer, once for as long as it cannot.
        """
        self._provider = provider
        self._failed = failed
        self._known: dict[str, Deployment] = {}
        self._warming: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, str] = {}

    def blocking(self, catalog: Catalog) -> Mapping[str, str]:
        """Return the deployments without which a routed feature cannot be answered yet, and why.

        A feature can be answered as soon as one of its deployments can.
        """
        waiting = self._waiting
        every = (*catalog.routes.values(), *catalog.team_routes.values())
        routes = [each.deployments for each in every if not each.disabled]
        blocked = [names for names in routes if all(name in waiting for name in names)]
        return {name: waiting[name] for names in blocked for name in names}

    def watch(self, deployments: Mapping[str, Deployment]) -> None:
        """Warm what is new or changed among `deployments`, and forget what is gone."""
        for name, known in list(self._known.items()):
            if deployments.get(name) != known:
                self._forget(name)
        for name, deployment in deployments.items():
            if name not in self._known:
                self._known[name] = deployment
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
            self._give_up(deployment, error)
            return
        if isinstance(provider, Warming):
            self._waiting[deployment.name] = "starting"
            task = asyncio.create_task(self._warm(deployment, provider))
            self._warming[deployment.name] = task

    def _forget(self, name: str) -> None:
        del self._known[name]
        self._waiting.pop(name, None)
        task = self._warming.pop(name, None)
        if task is not None:
            task.cancel()

    async def _warm(self, deployment: Deployment, provider: Warming) -> None:
        def progress(share: float, doing: str) -> None:
            if deployment.name in self._waiting:
                self._waiting[deployment.name] = f"{doing}, {share:.0%}"

        while True:
            try:
                await provider.warm(deployment, progress)
            except InhouseError as error:
                self._give_up(deployment, error)
            else:
                self._waiting.pop(deployment.name, None)
            await asyncio.sleep(WARM_EVERY)

    def _give_up(self, deployment: Deployment, error: InhouseError) -> None:
        # Callers without a key see this, and the reason may name paths: it goes to the log.
        said = f"cannot answer; `inhouse deployments test {deployment.name}` tells why"
        if self._waiting.get(deployment.name) != said:
            self._failed(deployment, error)
        self._waiting[deployment.name] = said
