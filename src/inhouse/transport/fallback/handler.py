"""One of aiohttp's connections, held to the limits and manners of ours."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from inhouse.transport.limits import AGE_SECONDS, NOISE, PROBATION_SECONDS


class Handler(ResponseHandler):
    """Parses as aiohttp does.

    It closes at once, takes one answer a request, notices what comes unasked, and bounds the bytes
    that are no body. aiohttp asks none of that of a connection.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, left: Callable[[Handler], None]) -> None:
        """Tell `left` when the connection is closed."""
        super().__init__(loop)
        self._left = left
        self._poll = select.poll()
        self._answer: StreamReader | None = None
        self._noise = 0
        self._body = 0
        self._streamed = False
        self._freed_at = 0.0
        self._age_limit = loop.time() + AGE_SECONDS
        self.used = False
        """Whether it has had a request."""
        self.improper = False
        """Whether what came is not proper HTTP."""
        self.parting: Exception | None = None
        """Why the connection was lost, where there is a reason."""
        self.tls: ssl.SSLObject | None = None
        """The TLS session, None on a plain connection."""

    def usable(self) -> bool:
        """Tell whether it can take a request: open, silent, not too old, not on probation."""
        now = self._loop.time()
        return (
            self.is_connected()
            and not self.should_close
            and now < self._age_limit
            # llama.cpp promises to keep a connection behind a stream, and closes it.
            and not (self._streamed and now - self._freed_at < PROBATION_SECONDS)
            # The peer's farewell may be in the kernel and not yet in the loop.
            and not self._poll.poll(0)
        )

    def take(self) -> None:
        """Expect an answer from now on."""
        self.used = True
        self._answer = None
        self._noise = self._body = 0

    # For aiohttp.

    def close(self) -> None:
        """Close at once: nobody wants what has not been sent."""
        self.abort()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take a head; 1xx is only a foreword."""
        message, payload = data
        if self._answer is not None:
            self.force_close()  # one request, one answer
            return
        if message.code >= 200:
            self._answer = payload
            self._streamed = message.chunked
        super().feed_data(data, size)

    # For the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        super().connection_made(transport)
        self.tls = transport.get_extra_info("ssl_object")
        descriptor = transport.get_extra_info("socket").fileno()
        self._poll.register(descriptor, select.POLLIN | select.POLLERR | select.POLLHUP)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if data and (not self.used or (self._answer is not None and self._answer.is_eof())):
            # Nobody asked: the connection cannot be trusted any more.
            self.abort()
            return
        super().data_received(data)
        answer = self._answer
        if answer is not None and answer.is_eof():
            self._freed_at = self._loop.time()
            return
        if answer is not None and answer.total_bytes > self._body:
            self._body = answer.total_bytes
            self._noise = 0
        else:
            self._noise += len(data)
        if self.exception() is not None or self._noise > NOISE:
            self._refuse()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone, by whomever."""
        self.parting = exc if isinstance(exc, Exception) else None
        if exc is not None and self._answer is not None and not self._answer.is_eof():
            # A reset is no end, not even of an answer that ends where the connection does.
            self._answer.set_exception(exc)
        super().connection_lost(exc)
        self._left(self)

    def _refuse(self) -> None:
        self.improper = True
        error = ValueError("not proper HTTP")
        self.set_exception(error)
        if self._answer is not None:
            self._answer.set_exception(error)
        if self.transport is not None:
            self.transport.abort()  # the method of this name forgets the error
