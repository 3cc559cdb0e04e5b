"""Requests by aiohttp."""

from __future__ import annotations

import asyncio

from inhouse.transport.dialling import Dialler
from inhouse.transport.fallback.exchange import Exchange
from inhouse.transport.fallback.lane import Lane
from inhouse.transport.limits import ORIGINS
from inhouse.transport.origin import Opening, Origin
from inhouse.transport.response import Response
from inhouse.transport.tls import Contexts


class Fallback:
    """The `Carrier` on aiohttp; one session for each origin."""

    def __init__(self, dialler: Dialler, contexts: Contexts) -> None:
        """Open connections by `dialler`; `contexts` remember their TLS sessions."""
        self._dialler = dialler
        self._contexts = contexts
        self._lanes: dict[Origin, Lane] = {}

    async def carry(
        self, opening: Opening, headers: bytes, body: bytes, response: Response, limit: int
    ) -> None:
        """Send a request and return when `response` has status and headers."""
        lane = self._lanes.get(opening.origin)
        if lane is None:
            lane = self._lane(opening.origin)
        lane.room.limit = limit
        lane.start(opening, headers, body, Exchange(response))
        await response.head()

    def connections(self) -> int:
        """Count the connections that exist or are being opened."""
        return sum(lane.connector.count for lane in self._lanes.values())

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        for lane in list(self._lanes.values()):
            await lane.aclose()
        # Transports tell of their end one turn of the loop later.
        await asyncio.sleep(0)

    def _lane(self, origin: Origin) -> Lane:
        if len(self._lanes) >= ORIGINS:
            for each, lane in list(self._lanes.items()):
                if lane.forgotten():
                    del self._lanes[each]
        lane = self._lanes[origin] = Lane(origin, self._dialler, self._contexts)
        return lane
