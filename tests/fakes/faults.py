"""A TCP proxy that stands in front of any upstream and spoils what passes, as its fault says."""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

PATIENCE = 30.0
PIECE = 65536
NOT_FOUND = b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n"


class Link:
    """One connection of a client, and what a fault may do with it."""

    def __init__(
        self, proxy: "FaultProxy", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer

    async def question(self) -> bytes:
        """Read requests until one is for an answer, and return that; the others get a 404.

        Raises EOFError when the client has left.
        """
        while True:
            request = await self._request()
            if request.partition(b" HTTP/")[0].endswith(b"completions"):
                return request
            await self.send(NOT_FOUND)

    async def _request(self) -> bytes:
        head = await self._reader.readuntil(b"\r\n\r\n")
        fields = head.lower().split(b"\r\n")
        lengths = [each[15:] for each in fields if each.startswith(b"content-length:")]
        return head + await self._reader.readexactly(int(lengths[0]) if lengths else 0)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def hang(self) -> None:
        """Do nothing until the client leaves."""
        while await self._reader.read(PIECE):
            pass

    def reset(self) -> None:
        """Close at once with a TCP reset, and without a FIN."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def relay(
        self, begin: bytes = b"", *, limit: int | None = None, piece: int = PIECE
    ) -> None:
        """Pass everything on, `begin` first; of the answers `limit` bytes, `piece` at a time."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._proxy.upstream)
        writer.write(begin)
        asking = asyncio.create_task(_pump(self._reader, writer))
        try:
            while limit is None or limit > 0:
                data = await reader.read(PIECE if limit is None else min(limit, PIECE))
                if not data:
                    break
                for start in range(0, len(data), piece):
                    await self.send(data[start : start + piece])
                    await asyncio.sleep(0)
                limit = None if limit is None else limit - len(data)
        finally:
            asking.cancel()
            writer.transport.abort()
            await asyncio.gather(asking, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
    finally:
        writer.transport.abort()


Fault = Callable[[Link], Awaitable[None]]
"""Deals with one connection; the connection is closed behind it, in good order."""


async def passing(link: Link) -> None:
    """Spoil nothing."""
    await link.relay()


async def reset_at_once(link: Link) -> None:
    """Accept, and reset."""
    link.reset()


async def reset_when_asked(link: Link) -> None:
    """Read a request, and reset."""
    await link.question()
    link.reset()


async def closed_when_asked(link: Link) -> None:
    """Read a request, and close without an answer."""
    await link.question()


async def stalled(link: Link) -> None:
    """Take a request, and never answer."""
    await link.question()
    await link.hang()


async def trickling(link: Link) -> None:
    """Pass all answers on byte by byte."""
    await link.relay(piece=1)


def reset_after(size: int) -> Fault:
    """Return a fault that passes so many bytes of answers on, and resets."""

    async def fault(link: Link) -> None:
        await link.relay(await link.question(), limit=size)
        link.reset()

    return fault


def closed_after(size: int) -> Fault:
    """Return a fault that passes so many bytes of answers on, and closes as if all was said."""

    async def fault(link: Link) -> None:
        await link.relay(await link.question(), limit=size)

    return fault


def stalled_after(size: int) -> Fault:
    """Return a fault that passes so many bytes of answers on, and says nothing more."""

    async def fault(link: Link) -> None:
        await link.relay(await link.question(), limit=size)
        await link.hang()

    return fault


def babbling(said: bytes) -> Fault:
    """Return a fault that says this before it is asked."""

    async def fault(link: Link) -> None:
        await link.send(said)
        await link.hang()

    return fault


def saying(answer: bytes) -> Fault:
    """Return a fault that gives every request this answer, byte for byte."""

    async def fault(link: Link) -> None:
        while True:
            await link.question()
            await link.send(answer)

    return fault


def repeating(head: bytes, piece: bytes) -> Fault:
    """Return a fault that answers with `head` and then with `piece` for ever."""

    async def fault(link: Link) -> None:
        await link.question()
        await link.send(head)
        while True:
            await link.send(piece)
            await asyncio.sleep(0)

    return fault


def one_of(seed: int, faults: Sequence[Fault]) -> Fault:
    """Return a fault that is another one for each connection, in an order that the seed fixes."""
    order = random.Random(seed)  # noqa: S311 - no secret

    async def fault(link: Link) -> None:
        await order.choice(faults)(link)

    return fault


class FaultProxy:
    """Listens on a port of loopback that it keeps, also while it refuses.

    `switch` puts another fault in place and drops what is connected. `upstream` is a port.
    """

    def __init__(self, upstream: int, fault: Fault = passing) -> None:
        self.upstream = upstream
        self.fault = fault
        self.accepted: Counter[str] = Counter()
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]
        self._listener: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def open(self) -> int:
        """Count the connections that are open now."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.down()
        self._holder.close()

    async def up(self) -> None:
        """Listen, on the same port as before."""
        if self._listener is None:
            listening = _bound(self.port)
            self._listener = await asyncio.start_server(self._accept, sock=listening, backlog=4096)

    async def down(self) -> None:
        """Refuse connections and drop those that are open, as a server that dies."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self.drop()

    async def drop(self) -> None:
        """Drop what is connected."""
        links = list(self._links)
        for each in links:
            each.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def switch(self, fault: Fault) -> None:
        """Spoil connections otherwise from now on."""
        self.fault = fault
        await self.drop()

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait until a claim holds; it is looked at when connections come or go."""
        async with asyncio.timeout(PATIENCE):
            while not claim():
                self._changed.clear()
                await self._changed.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A connection has its task.")
        self._links.add(task)
        self.accepted[getattr(self.fault, "__name__", "fault")] += 1
        self._changed.set()
        try:
            # Also where a proxy is dropped: the client sees a reset, and the task ends well.
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await self.fault(Link(self, reader, writer))
        finally:
            self._links.discard(task)
            writer.close()
            self._changed.set()


def _bound(port: int) -> socket.socket:
    # Two sockets share the port: one holds it, the other comes and goes.
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.setblocking(False)
    return made
