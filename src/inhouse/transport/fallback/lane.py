"""What leads to one origin by aiohttp."""

from __future__ import annotations

import asyncio
import io

import aiohttp
from yarl import URL

from inhouse.errors import UpstreamError
from inhouse.transport.dialling import Dialler
from inhouse.transport.fallback.connector import Connector, asking
from inhouse.transport.fallback.exchange import Exchange
from inhouse.transport.fallback.room import Room
from inhouse.transport.faults import IMPROPER
from inhouse.transport.limits import HEADER_COUNT, NOISE
from inhouse.transport.origin import Opening, Origin
from inhouse.transport.tls import Contexts

_NOT_OURS = ("accept", "accept-encoding", "content-type", "user-agent")
"""Header fields that aiohttp would send of its own accord."""


class Lane:
    """A session of aiohttp's, the requests that it runs, and those that wait."""

    def __init__(self, origin: Origin, dialler: Dialler, contexts: Contexts) -> None:
        """Open connections by `dialler`; `contexts` remember their TLS sessions."""
        self.room = Room(origin.place)
        self.connector = Connector(origin, dialler)
        self._origin = origin
        self._contexts = contexts
        self._running: dict[asyncio.Task[None], Exchange] = {}
        self._session = aiohttp.ClientSession(
            connector=self.connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            skip_auto_headers=_NOT_OURS,
            max_line_size=NOISE,
            max_field_size=NOISE,
            max_headers=HEADER_COUNT,
            middlewares=(_once,),
        )

    def start(self, opening: Opening, headers: bytes, body: bytes, exchange: Exchange) -> None:
        """Send a request; what comes of it goes to the response of `exchange`."""
        task = exchange.start(self._ask(opening, headers, body, exchange))
        self._running[task] = exchange
        task.add_done_callback(self._running.pop)

    def forgotten(self) -> bool:
        """Let the session go, if nobody needs it."""
        if self._running or self.connector.count:
            return False
        self._session.detach()
        return True

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        for exchange in list(self._running.values()):
            exchange.stop()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._session.close()

    async def _ask(self, opening: Opening, headers: bytes, body: bytes, exchange: Exchange) -> None:
        response = exchange.response
        try:
            await self.room.enter(response.first_by - asyncio.get_running_loop().time())
            try:
                await self._exchange(opening, headers, body, exchange)
            finally:
                self.room.leave()
        except UpstreamError as error:
            response.failed(error)
        except (aiohttp.ClientError, OSError, ValueError, _LostError) as error:
            exchange.broken(error)

    async def _exchange(
        self, opening: Opening, headers: bytes, body: bytes, exchange: Exchange
    ) -> None:
        asking.set(exchange)
        origin, response = opening.origin, exchange.response
        through = origin.proxy is not None and not origin.secure
        scheme = "https" if origin.secure else "http"
        async with self._session.request(
            opening.method,
            URL(f"{scheme}://{opening.authority}{opening.path}", encoded=True),
            # A `bytes` of more than a mebibyte draws a warning.
            data=io.BytesIO(body) if body else None,
            headers=_fields(opening.lines.partition(b"\r\n")[2] + headers, len(body)),
            allow_redirects=False,
            # Only so that the request's first line holds the whole address.
            proxy=f"http://{origin.proxy.place}" if origin.proxy and through else None,
        ) as answer:
            if answer.status < 200:
                exchange.fail(IMPROPER)
                return
            response.started(answer.status, list(answer.raw_headers))
            if origin.secure:
                self._contexts.remember(origin.tls, origin.host, exchange.tls)
            while data := await answer.content.readany():
                await exchange.more(data)
            response.completed()


class _LostError(Exception):
    """aiohttp's connection ended, and aiohttp shall not ask again."""


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise _LostError from error


def _fields(block: bytes, length: int) -> list[tuple[str, str]]:
    lines = block.decode("latin-1").split("\r\n")[:-1]
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return [*pairs, ("content-length", str(length))]
