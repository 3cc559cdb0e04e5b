"""The one HTTP client: pooled HTTP/1.1, aborts at once, follows nothing, says what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import Egress
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.connection import Connection
from inhouse.transport.dialling import Dialler
from inhouse.transport.egress import Anywhere
from inhouse.transport.limits import MAX_CONNECTIONS
from inhouse.transport.origin import Origin, prepared
from inhouse.transport.pool import Pool
from inhouse.transport.proxy import Proxy
from inhouse.transport.reaching import Reaching
from inhouse.transport.resolving import Lookup, Resolver, system_lookup
from inhouse.transport.response import Response
from inhouse.transport.tls import Contexts, Tls

_DEFAULT = Deadlines()
POOLS = 1024
"""Origins beyond which those without a connection are forgotten."""


class Transport:
    """Sends requests over pooled connections; belongs to one event loop."""

    def __init__(
        self,
        egress: Egress | None = None,
        lookup: Lookup = system_lookup,
        authorities: Sequence[str] = (),
    ) -> None:
        """Open nothing yet.

        `egress` decides which connections may be opened, None about addresses alone. `lookup` finds
        the addresses of names. `authorities` are paths, as in `Contexts`.
        """
        self._pools: dict[Origin, Pool] = {}
        self._contexts = Contexts(authorities)
        self._resolver = Resolver(lookup)
        self._dialler = Dialler(Reaching(egress or Anywhere(), self._resolver), self._contexts)

    async def request(
        self,
        method: str,
        url: str,
        headers: bytes = b"",
        body: bytes = b"",
        *,
        tls: Tls | None = None,
        proxy: Proxy | None = None,
        deadlines: Deadlines = _DEFAULT,
        max_connections: int = MAX_CONNECTIONS,
    ) -> Response:
        """Send a request and return its answer as soon as status and headers are there.

        `headers` come from `header_block`; ``Host`` and ``Content-Length`` are added. Cancelling
        aborts the request in any phase. Redirects are answers like others.

        Raises:
            UpstreamError: there is no answer. A request of which a single byte was sent is never
                sent again.

        """
        origin, opening = prepared(method, url, tls, proxy)
        message = b"".join((opening, headers, b"content-length: %d\r\n\r\n" % len(body), body))
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pool(origin)
        pool.limit = max_connections
        response = Response(origin.place, deadlines, asyncio.get_running_loop().time())
        connection = pool.take()
        while connection is None or not connection.send(message, response):
            connection = pool.take() or await self._fresh(pool, response)
        await response.head()
        if origin.secure:
            self._contexts.remember(origin.tls, origin.host, connection.ssl_object())
        return response

    def connections(self) -> int:
        """Count the connections that exist or are being opened."""
        return sum(pool.count for pool in self._pools.values())

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        for pool in list(self._pools.values()):
            pool.abort()
        await self._resolver.aclose()
        # Transports tell of their end one turn of the loop later.
        await asyncio.sleep(0)

    async def _fresh(self, pool: Pool, response: Response) -> Connection:
        connection = await pool.get(response.deadlines.connect, response)
        if connection.closed:
            raise UpstreamError(
                UpstreamFailure.CLOSED, f"{response.place} closes each connection at once."
            )
        return connection

    def _pool(self, origin: Origin) -> Pool:
        if len(self._pools) >= POOLS:
            self._pools = {each: pool for each, pool in self._pools.items() if pool.count}
        pool = self._pools[origin] = Pool(
            origin.place,
            lambda new, allowed: self._dialler.dial(origin, new, allowed),
        )
        return pool
