"""Requests over our own pooled connections, with httptools as parser."""

from __future__ import annotations

import asyncio

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.connection import Connection
from inhouse.transport.dialling import Dialler
from inhouse.transport.limits import ORIGINS
from inhouse.transport.origin import Opening, Origin
from inhouse.transport.pool import Pool
from inhouse.transport.response import Response
from inhouse.transport.tls import Contexts


class Pooled:
    """The `Carrier` that is used unless an administrator says otherwise."""

    def __init__(self, dialler: Dialler, contexts: Contexts) -> None:
        """Open connections by `dialler`; `contexts` remember their TLS sessions."""
        self._dialler = dialler
        self._contexts = contexts
        self._pools: dict[Origin, Pool] = {}

    async def carry(
        self, opening: Opening, headers: bytes, body: bytes, response: Response, limit: int
    ) -> None:
        """Send a request and return when `response` has status and headers."""
        origin = opening.origin
        message = b"".join(
            (opening.lines, headers, b"content-length: %d\r\n\r\n" % len(body), body)
        )
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pool(origin)
        pool.limit = limit
        connection = pool.take()
        while connection is None or not connection.send(message, response):
            connection = pool.take() or await _fresh(pool, response)
        await response.head()
        if origin.secure:
            self._contexts.remember(origin.tls, origin.host, connection.ssl_object())

    def connections(self) -> int:
        """Count the connections that exist or are being opened."""
        return sum(pool.count for pool in self._pools.values())

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        for pool in list(self._pools.values()):
            pool.abort()
        # Transports tell of their end one turn of the loop later.
        await asyncio.sleep(0)

    def _pool(self, origin: Origin) -> Pool:
        if len(self._pools) >= ORIGINS:
            self._pools = {each: pool for each, pool in self._pools.items() if pool.count}
        pool = self._pools[origin] = Pool(
            origin.place,
            lambda new, allowed: self._dialler.dial(origin, new, allowed),
        )
        return pool


async def _fresh(pool: Pool, response: Response) -> Connection:
    connection = await pool.get(response)
    if connection.closed:
        raise UpstreamError(
            UpstreamFailure.CLOSED, f"{response.place} closes each connection at once."
        )
    return connection
