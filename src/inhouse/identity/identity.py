"""Who may ask in GitLab's name: the instances, our own tokens, and the proof of both."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from inhouse.core.ports import Egress, Place
from inhouse.core.secret import Secret
from inhouse.errors import ConfigError
from inhouse.identity.claims import Refusal
from inhouse.identity.clock import Clock
from inhouse.identity.discovery import Discovery
from inhouse.identity.instance import Instance, Written
from inhouse.identity.reporting import Log, Seldom
from inhouse.identity.signing import Issued, KeyStore, Signing
from inhouse.identity.tokens import Tokens, Verified
from inhouse.transport import Tls, Transport, split

_CLOCK = Clock()


class Section(Protocol):
    """Section ``[gitlab]`` of the configuration, as far as it is about identity."""

    @property
    def audience(self) -> str:
        """What instances' tokens must be for."""
        ...

    @property
    def signing_key(self) -> Secret:
        """PEM, or empty."""
        ...

    @property
    def validation_key(self) -> Secret:
        """PEM, or empty."""
        ...

    @property
    def instances(self) -> Sequence[Written]:
        """Who may ask."""
        ...


class Identity:
    """Tells who asks by a token, and issues tokens of our own; belongs to one event loop."""

    def __init__(
        self,
        section: Section,
        store: KeyStore,
        log: Log,
        *,
        egress: Egress,
        proxies: Mapping[str, str],
        peers: Collection[Place],
        authorities: Sequence[str] = (),
        clock: Clock = _CLOCK,
    ) -> None:
        """Ask nobody yet; raises `ConfigError` where an instance or a key cannot work."""
        self._written = section.instances
        self._transport = Transport(egress, authorities=authorities)
        self._seldom = Seldom(log, clock.monotonic)
        discovery = Discovery(self._transport, proxies, peers)
        self.instances: dict[str, Instance] = {}
        """By name."""
        for written in section.instances:
            where = f"[[gitlab.instances]] '{written.url}'"
            try:
                split(written.url)
                instance = Instance(
                    written,
                    audience=section.audience,
                    ask=partial(discovery.ask, written.url, _tls(written)),
                    changed=self._forget,
                    log=log,
                    clock=clock,
                )
            except ValueError as error:
                raise ConfigError(f"{where}: {error}.") from None
            if instance.name in self.instances:
                raise ConfigError(f"{where}: there are two entries for it; remove one.")
            self.instances[instance.name] = instance
        try:
            self._signing = Signing(
                store,
                signing_key=section.signing_key,
                validation_key=section.validation_key,
                changed=self._forget,
                log=log,
                clock=clock,
            )
        except ValueError as error:
            raise ConfigError(f"[gitlab]: signing_key or validation_key: {error}.") from None
        self._tokens = Tokens(tuple(self.instances.values()), self._signing, clock.wall)

    def places(self) -> Iterator[Place]:
        """Yield where instances are asked for their keys."""
        for instance, written in zip(self.instances.values(), self._written, strict=True):
            if instance.asked:
                _, host, port, _ = split(written.url)
                yield host, port

    def check(self) -> None:
        """Raise `ConfigError` where certificates of authorities cannot be used; reads files."""
        for written in self._written:
            tls = _tls(written)
            if tls is not None and (fault := tls.fault()) is not None:
                raise ConfigError(f"[[gitlab.instances]] '{written.url}': {fault}.")

    async def run(self) -> None:
        """Keep the keys of all instances fresh, until cancelled."""
        await asyncio.gather(*(each.run() for each in self.instances.values()))

    async def aclose(self) -> None:
        """Close every connection."""
        for each in (*self.instances.values(), self._signing):
            await each.aclose()
        await self._transport.aclose()

    async def verify(self, token: str) -> Verified | None:
        """Return what a token claims if it holds; else the log says, now and then, why not."""
        found = await self._tokens.verify(token)
        if isinstance(found, Refusal):
            self.refused(found.kind, found.why)
            return None
        return found

    def refused(self, kind: str, why: str) -> None:
        """Tell the log why a token is refused; `kind` is one of a few words of ours."""
        self._seldom.warn("token refused", kind, why)

    async def issue(self, claims: Mapping[str, Any]) -> Issued:
        """Sign a token of our own; raises `StoreError`."""
        return await self._signing.issue(claims)

    def _forget(self) -> None:
        self._tokens.forget()


def _tls(written: Written) -> Tls | None:
    return Tls(ca_file=written.ca_file) if written.ca_file else None
