"""Open a TCP connection to a host: look it up, check each address, try them in turn."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from inhouse.core.ports import Egress
from inhouse.errors import UpstreamError
from inhouse.transport.resolving import Resolver

AnyProtocol = TypeVar("AnyProtocol", bound=asyncio.BaseProtocol)


class SilentDnsError(TimeoutError):
    """The address of `host` was not found in time."""

    def __init__(self, host: str) -> None:
        """Keep the name."""
        super().__init__()
        self.host = host


class Reaching:
    """Connects to addresses that the egress policy has seen, and to no others.

    The address that was checked is the one that is connected to: a name that stands for something
    else a moment later gains nothing.
    """

    def __init__(self, egress: Egress, resolver: Resolver) -> None:
        """Let `egress` decide on the addresses that `resolver` finds."""
        self._egress = egress
        self._resolver = resolver

    def check(self, host: str, port: int) -> None:
        """Raise `UpstreamError` (FORBIDDEN) where nothing registered is at that place."""
        self._egress.check_place(host, port)

    async def connect(
        self,
        host: str,
        port: int,
        new: Callable[[], AnyProtocol],
        *,
        by: float,
        context: ssl.SSLContext | None = None,
    ) -> tuple[asyncio.Transport, AnyProtocol]:
        """Return a connection, with TLS where there is a `context`, by the loop time `by`.

        Raises:
            UpstreamError: the policy forbids it.
            SilentDnsError: the name is not looked up in time.
            TimeoutError: no address accepts a connection in time.
            OSError: the best address refuses, or the name is unknown.

        """
        self.check(host, port)
        loop = asyncio.get_running_loop()
        fault: OSError | None = None
        addresses = await self._allowed(host, port, by)
        for position, address in enumerate(addresses):
            # An address that swallows packets leaves time for the others.
            share = (by - loop.time()) / (len(addresses) - position)
            if share <= 0:
                break
            try:
                async with asyncio.timeout(share):
                    transport, protocol = await loop.create_connection(
                        new,
                        address,
                        port,
                        ssl=context,
                        server_hostname=None if context is None else host,
                        flags=socket.AI_NUMERICHOST,
                    )
            except ssl.SSLError:
                raise
            except OSError as error:
                fault = fault or error
                continue
            if position:
                self._resolver.prefer(host, address)
            return transport, protocol
        self._resolver.forget(host)
        raise fault or TimeoutError

    async def _allowed(self, host: str, port: int, by: float) -> list[str]:
        """Return the addresses of a host that may be connected to; raises where there are none."""
        try:
            async with asyncio.timeout_at(by):
                found = await self._resolver.addresses(host)
        except TimeoutError:
            raise SilentDnsError(host) from None
        allowed: list[str] = []
        forbidden: UpstreamError | None = None
        for address in found:
            try:
                self._egress.check_address(host, port, address)
            except UpstreamError as error:
                forbidden = forbidden or error
            else:
                allowed.append(address)
        if forbidden is not None and not allowed:
            self._resolver.forget(host)
            raise forbidden
        return allowed
