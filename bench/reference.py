"""The reference stack: the least that a gateway in Python does, on the same building blocks.

    python bench/reference.py PORT UPSTREAM_PORT

A raw server and a raw client, `asyncio.Protocol` with httptools on uvloop: parse the request,
decode its JSON, put a model into it, encode it, forward it on a pooled connection, relay the answer
as it comes. No keys, routes, limits, records, metrics, errors in words, or timeouts. The gateway's
cost is judged by its ratio to this one in the same run: ratios hold across machines and noise.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from typing import Any, cast

import httptools
import msgspec
import uvloop

BACKLOG = 2048


class Downstream(asyncio.Protocol):
    """A caller's connection: one request after the other."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parser = httptools.HttpRequestParser(self)
        self._asked: Upstream | None = None
        self._path = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name
        if self._asked is not None:
            self._asked.transport.abort()

    def pause_writing(self) -> None:
        if self._asked is not None:
            self._asked.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._asked is not None:
            self._asked.transport.resume_reading()

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body, self._body = b"".join(self._body), []
        if not body:
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            return
        request: dict[str, Any] = msgspec.json.decode(body)
        request["model"] = str(request["model"])
        self._pool.ask(self, self._path, msgspec.json.encode(request))

    def asked(self, upstream: Upstream) -> None:
        """Remember who is being asked, to abort it with the caller."""
        self._asked = upstream

    def answered(self) -> None:
        self._asked = None


class Upstream(asyncio.Protocol):
    """A pooled connection to the upstream."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._downstream: Downstream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, downstream: Downstream, request: bytes) -> None:
        """Send a request; its answer goes to `downstream` piece by piece."""
        self._parser = httptools.HttpResponseParser(self)
        self._downstream = downstream
        self._type = b"application/json"
        self._length = b""
        self._complete = False
        self._out: list[bytes] = []
        downstream.asked(self)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        downstream = self._downstream
        if downstream is None:
            self.transport.abort()
            return
        self._parser.feed_data(data)
        # What came in one read goes out in one write.
        downstream.transport.write(b"".join(self._out))
        self._out.clear()
        if self._complete:
            self._downstream = None
            downstream.answered()
            self._pool.put(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name
        self._pool.discard(self)
        if self._downstream is not None:
            self._downstream.answered()
            self._downstream.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-length":
            self._length = value
        elif name == b"content-type":
            self._type = value

    def on_headers_complete(self) -> None:
        framing = (
            b"content-length: " + self._length if self._length else b"transfer-encoding: chunked"
        )
        self._out.append(
            b"HTTP/1.1 %d OK\r\ncontent-type: %b\r\n%b\r\n\r\n"
            % (self._parser.get_status_code(), self._type, framing)
        )

    def on_body(self, body: bytes) -> None:
        self._out.append(body if self._length else b"%x\r\n%b\r\n" % (len(body), body))

    def on_message_complete(self) -> None:
        if not self._length:
            self._out.append(b"0\r\n\r\n")
        self._complete = True


class Pool:
    """The idle connections to one upstream, the warmest first."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: deque[Upstream] = deque()
        self._connecting: set[asyncio.Task[None]] = set()

    def ask(self, downstream: Downstream, path: bytes, body: bytes) -> None:
        """Forward a request on an idle connection, or on a new one."""
        request = (
            b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (path, len(body), body)
        )
        if self._idle:
            self._idle.pop().ask(downstream, request)
        else:
            task = asyncio.ensure_future(self._connect(downstream, request))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, downstream: Downstream, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, upstream = await loop.create_connection(
                lambda: Upstream(self), "127.0.0.1", self._port
            )
        except OSError:
            downstream.transport.abort()
            return
        upstream.ask(downstream, request)

    def put(self, upstream: Upstream) -> None:
        """Take back a connection whose answer was read to its end."""
        self._idle.append(upstream)

    def discard(self, upstream: Upstream) -> None:
        """Forget a connection that is gone."""
        with contextlib.suppress(ValueError):
            self._idle.remove(upstream)


async def serve(port: int, upstream_port: int) -> None:
    """Serve on loopback until stopped; port 0 takes any free one and says which."""
    pool = Pool(upstream_port)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Downstream(pool), "127.0.0.1", port, backlog=BACKLOG)
    print("listening on", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
