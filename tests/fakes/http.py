"""An HTTP server on loopback whose handlers write raw bytes: every fault can be had."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

PATIENCE = 10.0  # a bug shows as an error, not as a test that never ends


class Request(NamedTuple):
    """What a client sent; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """One request, and the means to answer it or not."""

    def __init__(self, request: Request, peer: "Peer") -> None:
        self.request = request
        self.sent = 0
        self._peer = peer

    async def send(self, *pieces: bytes) -> None:
        """Send each piece by itself, as fast as the client takes them."""
        for piece in pieces:
            self._peer.transport.write(piece)
            self.sent += len(piece)
            await self._peer.writable.wait()
            await asyncio.sleep(0)

    async def answer(
        self, status: int, body: bytes, content_type: str = "application/json"
    ) -> None:
        """Send a whole answer in one piece."""
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n"
        await self.send(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    async def hang(self) -> None:
        """Do nothing until the client leaves."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Close in good order, behind what was sent."""
        self._peer.transport.close()

    def reset(self) -> None:
        """Close at once with a TCP reset."""
        connection = self._peer.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._peer.transport.abort()


Handler = Callable[[Exchange], Awaitable[None]]


class Peer(asyncio.Protocol):
    """One connection: its requests are handled in turn."""

    transport: asyncio.Transport

    def __init__(self, server: "Server") -> None:
        self.writable = asyncio.Event()
        self.writable.set()
        self._server = server
        self._data = b""
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.peers.add(self)
        self._server.connections += 1
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._arrived.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._server.peers.discard(self)
        if self._busy:
            self._server.aborted += 1
        if self._task is not None:
            self._task.cancel()
        self._server.changed()

    async def _serve(self) -> None:
        try:
            await self._serve_each()
        finally:
            self.transport.abort()
            self._server.changed()

    async def _serve_each(self) -> None:
        while not self.transport.is_closing():
            request = await self._request()
            self._server.requests.append(request)
            self._busy = True
            self._server.changed()
            await self._server.handler(Exchange(request, self))
            self._busy = False
            self._server.changed()

    async def _request(self) -> Request:
        head = await self._until(lambda: self._data.find(b"\r\n\r\n") + 4, 3)
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (s.partition(": ") for s in lines)}
        length = int(headers.get("content-length", "0"))
        body = await self._until(lambda: length if len(self._data) >= length else -1, -1)
        return Request(method, target, headers, body)

    async def _until(self, end: Callable[[], int], missing: int) -> bytes:
        while (size := end()) == missing:
            self._arrived.clear()
            await self._arrived.wait()
        taken, self._data = self._data[:size], self._data[size:]
        return taken


class Server:
    """Serves `handler` on a free port of loopback unless `host` and `port` are set; remembers.

    `aborted` counts requests whose client left, or whose handler closed, before the handler's end.
    """

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.connections = 0
        self.aborted = 0
        self.peers: set[Peer] = set()
        self.host = "127.0.0.1"
        self.port = 0
        self._tls = tls
        self._listener: asyncio.Server | None = None
        self._changes = asyncio.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Peer(self), self.host, self.port, ssl=self._tls)
        self._listener = listener
        self.port = listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        for peer in list(self.peers):
            peer.transport.abort()
        await self.until(lambda: not self.peers)

    def changed(self) -> None:
        self._changes.set()

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until a claim about this server holds; it is looked at after each event."""
        async with asyncio.timeout(PATIENCE):
            while not claim():
                self._changes.clear()
                await self._changes.wait()


def chunked(*pieces: bytes) -> bytes:
    """Return a body in chunked encoding, with its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
