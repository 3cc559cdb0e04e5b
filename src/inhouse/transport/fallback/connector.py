"""The connections of aiohttp, dialled by us: past the egress policy there is no way."""

from __future__ import annotations

from contextvars import ContextVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.dialling import Dialler
from inhouse.transport.fallback.exchange import Exchange
from inhouse.transport.fallback.handler import Handler
from inhouse.transport.limits import IDLE_SECONDS
from inhouse.transport.origin import Origin

asking: ContextVar[Exchange] = ContextVar("asking")
"""The exchange that a connection is for: aiohttp hands nothing of ours on to its connector."""


class Connector(aiohttp.BaseConnector):
    """Connects to one origin."""

    def __init__(self, origin: Origin, dialler: Dialler) -> None:
        """Open connections by `dialler`."""
        super().__init__(limit=0, keepalive_timeout=IDLE_SECONDS)
        self._origin = origin
        self._dialler = dialler
        self._handlers: set[Handler] = set()
        self._opening = 0

    @property
    def count(self) -> int:
        """How many connections exist or are being opened."""
        return len(self._handlers) + self._opening

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's name
    ) -> Connection:
        """Return a connection that works, idle or new. Raises UpstreamError."""
        while True:
            connection = await super().connect(req, traces, timeout)
            handler = connection.protocol
            assert isinstance(handler, Handler)  # noqa: S101  # all of them are made below
            if handler.usable():
                handler.take()
                asking.get().on(handler)
                return connection
            connection.close()
            if not handler.used:
                raise UpstreamError(
                    UpstreamFailure.CLOSED,
                    f"{self._origin.place} closes each connection at once.",
                )

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's name
    ) -> ResponseHandler:
        del req, traces, timeout
        self._opening += 1
        try:
            handler = await self._dialler.dial(
                self._origin, self._new, asking.get().response.allowance()
            )
        finally:
            self._opening -= 1
        if handler.is_connected():
            self._handlers.add(handler)
        return handler

    def _new(self) -> Handler:
        return Handler(self._loop, self._handlers.discard)
