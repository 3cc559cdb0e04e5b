"""From a configuration to a running gateway: the only place where the rooms are wired."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import inhouse
from inhouse import config as configuration
from inhouse.context import files
from inhouse.context.documentation import Documentation
from inhouse.core.allowing import Allowed
from inhouse.core.catalog import Catalog, Deployment
from inhouse.core.places import parse_peer
from inhouse.core.ports import Place, Provider, ProviderContext
from inhouse.core.requests import Caller
from inhouse.errors import ConfigError, InhouseError
from inhouse.families import Families
from inhouse.families import load as load_families
from inhouse.features.agent import Agent
from inhouse.features.asking import Asking
from inhouse.features.chat import Chat
from inhouse.features.completion import Completion
from inhouse.features.embedding import Embedding
from inhouse.features.generation import Generation
from inhouse.features.orphans import Orphans
from inhouse.features.superseding import Superseding
from inhouse.features.tasks import Tasks
from inhouse.features.typeahead import Typeahead
from inhouse.identity import Callers, Identity
from inhouse.providers.loading import Providers
from inhouse.records.log import Log
from inhouse.records.metrics import Load, Metrics
from inhouse.records.records import Records
from inhouse.routing.circuit import State
from inhouse.routing.quotas import Quotas
from inhouse.routing.readiness import Readiness
from inhouse.routing.recovery import Recovery
from inhouse.routing.requested import Requested
from inhouse.routing.router import Router
from inhouse.routing.single import Singles
from inhouse.routing.standing import Standing, Standings
from inhouse.routing.windows import Windows
from inhouse.store import Registry, upkeep
from inhouse.transport import Policy


class Gateway:
    """A running gateway: the registry's snapshot, the features that answer from it, the records."""

    def __init__(
        self,
        *,
        config: configuration.Config,
        registry: Registry,
        families: Families,
        log: Log,
    ) -> None:
        """Wire the rooms; use `open`, which also starts and stops them."""
        self.config = config
        self.registry = registry
        self.families = families
        self.log = log
        self._catalog = Catalog()
        self._callers = Callers(self._catalog)
        self.probing: set[str] = set()
        """Deployments that are being probed: one probe of each at a time."""
        self._egress = Policy.of(config.egress, config.proxies)
        self.orphans = Orphans(self._waiting)
        """What is written on for those who may type along: closed when the gateway stops."""
        self._typeahead = Typeahead(self.orphans)
        self.providers = Providers(
            ProviderContext(
                cache=config.cache_folder,
                proxies=config.proxies,
                environment=config.platform,
                documents=lambda root, exclude: files.read(Path(root), exclude),
                egress=self._egress,
                authorities=config.authorities,
                http_client=config.egress.http_client,
                changed=self._typeahead.forget,
            )
        )
        self.identity = Identity(
            config.gitlab,
            registry.signing_keys,
            log,
            egress=self._egress,
            proxies=config.proxies,
            peers=frozenset(map(parse_peer, config.egress.peers)),
            authorities=config.authorities,
        )
        self._windows = Windows()
        self._readiness = Readiness(
            self.provider,
            lambda deployment, error: log.failure(
                "deployment cannot answer", deployment=deployment.name, why=str(error)
            ),
        )
        self.standings = Standings(self._turned, self.orphans.make_way)
        self.requested = Requested(
            Allowed(config.gitlab.allowed_endpoints),
            families,
            singles=Singles(self.provider),
            check=lambda deployment: self.provider(deployment).check(deployment),
            changed=self._admit,
        )
        self._recovery = Recovery(
            self.provider,
            self.standings,
            lambda deployment, error: log.defect("defect", error, deployment=deployment.name),
            registered=lambda deployment: deployment.name in self._catalog.deployments,
        )
        self._quotas = Quotas(
            registry.counters,
            lambda error: log.failure("limits not counted together", why=str(error)),
        )
        asking = Asking(
            router=Router(self.provider, self.standings, lambda: self._catalog.settings),
            windows=self._windows,
            families=families,
            quotas=self._quotas,
            settings=lambda: self._catalog.settings,
        )
        self.completion = Completion(asking, Superseding(), self._typeahead)
        self.generation = Generation(asking)
        self.chat = Chat(asking)
        self.agent = Agent(asking)
        self.embedding = Embedding(asking)
        self.documentation = Documentation(
            config.gitlab.docs, lambda why: log.failure("documentation not searched", why=why)
        )
        self.tasks = Tasks(asking)
        metrics = Metrics(version=inhouse.__version__)
        metrics.deployments(self._loads)
        self.records = Records(store=registry.traces, log=log, metrics=metrics)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, config: configuration.Config) -> AsyncGenerator[Self]:
        """Open the store, apply what the configuration declares, and run until the block is left.

        Raises:
            ConfigError: the configuration, a family file or a declared deployment is wrong.
            StoreError: the store cannot be reached, migrated, or decrypted.

        """
        families = load_families(config.families)
        registry = await asyncio.to_thread(
            Registry.open, config.store.url, secret=config.secret_key, key_file=config.key_file
        )
        try:
            with contextlib.closing(open_log(config.log)) as log:
                for each in config.remarks:
                    log.warning("environment", variables=list(each.variables), why=each.text)
                gateway = cls(config=config, registry=registry, families=families, log=log)
                await asyncio.to_thread(gateway.identity.check)
                await gateway._check_declared()
                await asyncio.to_thread(registry.apply, config.declared, author="inhouse.toml")
                async with gateway._running():
                    yield gateway
        finally:
            await asyncio.to_thread(registry.close)

    @property
    def catalog(self) -> Catalog:
        """The registry as it stands: what the hot path reads."""
        return self._catalog

    def provider(self, deployment: Deployment) -> Provider:
        """Return the code that talks to the deployment's upstream; raises `ConfigError`."""
        return self.providers[deployment.provider]

    def authenticate(self, key: str) -> Caller:
        """Return who holds the key; raises `AuthenticationError`."""
        return self._callers.holding(key)

    def holder(self, name: str) -> Caller | None:
        """Return who holds the key of that name, None where there is none, or no more."""
        return self._callers.named(name)

    async def refresh(self) -> None:
        """Read the registry anew, so that a change holds at once."""
        self._take(await asyncio.to_thread(self.registry.snapshot))

    def not_ready(self) -> Mapping[str, str]:
        """Return why a routed feature cannot be answered yet, by deployment; empty is ready.

        A feature can be answered as soon as one of its deployments can.
        """
        return self._readiness.blocking(self._catalog)

    async def _check_declared(self) -> None:
        """Raise `ConfigError`, with file and entry, where a declared deployment cannot work."""
        for deployment in self.config.declared.deployments:
            try:
                self.families.get(deployment.family)
                await asyncio.to_thread(self.provider(deployment).check, deployment)
            except InhouseError as error:
                where = f"{self.config.path}: [[deployments]] '{deployment.name}'"
                raise ConfigError(f"{where}: {error}", param=error.param) from None

    def _take(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._callers = Callers(catalog)
        self._typeahead.forget()
        self._admit()
        self._readiness.watch(catalog.deployments)

    def _admit(self) -> None:
        """Let connections pass to what is registered, and to what requests have named lately."""
        deployments = {**self._catalog.deployments, **self.requested.known}
        self.standings.keep(deployments)
        self._egress.register(self._places(deployments.values()))

    def _places(self, deployments: Iterable[Deployment]) -> Iterator[Place]:
        for deployment in deployments:
            # One that cannot work as it is written connects nowhere.
            with contextlib.suppress(InhouseError):
                yield from self.provider(deployment).endpoints(deployment)
        yield from self.identity.places()

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncGenerator[None]:
        async with self.records.running():
            await self.refresh()
            tasks = [
                asyncio.create_task(
                    upkeep.follow(
                        self.registry, lambda: self._catalog.revision, self.refresh, self.log
                    ),
                    name="registry follower",
                ),
                asyncio.create_task(
                    upkeep.prune(
                        self.registry, lambda: self._catalog.settings.trace_days, self.log
                    ),
                    name="trace pruner",
                ),
                asyncio.create_task(self._recovery.run(), name="recovery"),
                asyncio.create_task(self.identity.run(), name="keys of GitLab"),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._readiness.aclose()
                await self._windows.aclose()
                await self._quotas.aclose()
                await self.identity.aclose()
                await self.providers.aclose()

    def _waiting(self, deployment: str) -> int:
        return self.standings.waiting(deployment)

    def _turned(self, standing: Standing) -> None:
        name, circuit = standing.deployment.name, standing.circuit
        if circuit.state is State.CLOSED:
            self.log.info("deployment answers again", deployment=name)
        else:
            why = "" if circuit.last is None else circuit.last.message
            seconds = round(circuit.remaining, 1)
            self.log.warning("deployment left alone", deployment=name, seconds=seconds, why=why)

    def _loads(self) -> list[Load]:
        return [
            Load(
                each.deployment.name,
                each.queue.running,
                each.queue.waiting,
                each.circuit.state is not State.CLOSED,
            )
            for each in self.standings.known()
        ]


def open_log(config: configuration.LogConfig) -> Log:
    """Return the log as configured; raises `ConfigError` where its file cannot be written."""
    return Log(level=config.level, style=config.format, file=config.file)
