"""One HTTP/1.1 connection: writes a request, parses its answer, tells when it is free again."""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from inhouse.transport.faults import IMPROPER, Fault, gone, late
from inhouse.transport.limits import (
    AGE_SECONDS,
    HEADER_COUNT,
    IDLE_SECONDS,
    LINGER_SECONDS,
    NOISE,
)
from inhouse.transport.patience import Patience
from inhouse.transport.response import Response


class Owner(Protocol):
    """Who keeps connections."""

    def freed(self, connection: Connection) -> None:
        """The connection has served its request and can serve another."""
        ...

    def lost(self, connection: Connection) -> None:
        """The connection is closed."""
        ...


class _RefusedError(Exception):
    """Ends parsing from within a callback of the parser."""


class Connection(asyncio.Protocol):
    """A connection, idle or with one request on it."""

    __slots__ = (
        "_age_limit",
        "_ended",
        "_headers",
        "_keep",
        "_loop",
        "_noise",
        "_owner",
        "_parser",
        "_patience",
        "_paused",
        "_poll",
        "_response",
        "_status",
        "_transport",
        "freed_at",
        "streamed",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner) -> None:
        """Belong to `owner`; `connection_made` brings the transport."""
        self._loop = loop
        self._owner = owner
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._response: Response | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._status = 0
        self._noise = 0
        self._ended = False
        self._keep = False
        self._paused = False
        self._patience = Patience(loop, self._overdue)
        self.freed_at = 0.0
        """The loop time at which the last answer ended."""
        self.streamed = False
        """Whether the last answer came in chunks."""
        self._age_limit = loop.time() + AGE_SECONDS

    # For the pool.

    @property
    def closed(self) -> bool:
        """Whether it is of no use any more."""
        return self._transport is None or self._transport.is_closing()

    def usable(self) -> bool:
        """Tell whether an idle connection can take a request: open, silent, not too old."""
        transport = self._transport
        return (
            transport is not None
            and not transport.is_closing()
            and self._loop.time() < self._age_limit
            # The peer's farewell may be in the kernel and not yet in the loop.
            and not self._poll.poll(0)
        )

    def send(self, request: bytes, response: Response) -> bool:
        """Write a request and let `response` have the answer.

        Returns False where no byte of it was sent, since the connection was already dead.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        self._ended = False
        self._noise = 0
        transport.write(request)
        if transport.is_closing():
            return False
        self._response = response
        response.attach(self)
        self._patience.expect(response.first_by)
        return True

    def ssl_object(self) -> ssl.SSLObject | None:
        """Return the TLS session's object, None on a plain connection."""
        return self._transport and self._transport.get_extra_info("ssl_object")

    # For the response.

    def pause(self) -> None:
        """Read nothing more until the reader has caught up; silence is then no fault."""
        if self._transport is not None and self._response is not None:
            self._paused = True
            self._transport.pause_reading()
            self._patience.expect(self._response.expires)

    def resume(self) -> None:
        """Read on."""
        response = self._response
        if self._transport is not None and response is not None:
            self._read_on()
            self._patience.expect(
                min(self._loop.time() + response.deadlines.between_tokens, response.expires)
            )

    def linger(self) -> None:
        """Read the answer's end for nobody, for a second at most."""
        if self._response is not None and self._transport is not None:
            self._read_on()
            self._response.expires = self._loop.time() + LINGER_SECONDS
            self._patience.expect(self._response.expires)

    def abort(self) -> None:
        """Close at once; a response on it ends in an error."""
        self._response = None
        self._patience.stop()
        if self._transport is not None:
            self._transport.abort()

    def fail(self, fault: Fault) -> None:
        """Close, and tell the response what the upstream did wrong."""
        response = self._response
        self.abort()
        if response is not None:
            response.fail(*fault)

    # For the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; through a proxy this is the TLS session inside of the tunnel."""
        self._transport = cast(asyncio.Transport, transport)
        descriptor = transport.get_extra_info("socket").fileno()
        self._poll.register(descriptor, select.POLLIN | select.POLLERR | select.POLLHUP)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        response = self._response
        if response is None:
            # Nobody asked: the connection cannot be trusted any more.
            self.abort()
            return
        self._noise += len(data)
        fault = False
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):  # an error in a callback is one of these
            fault = True
        if self._ended:
            self._finish(response, clean=not fault)
        elif fault or self._noise > NOISE:
            self.fail(IMPROPER)
        elif response.begun:
            deadline = self._loop.time() + response.deadlines.between_tokens
            self._patience.expect(min(deadline, response.expires))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        if self._response is not None:
            self._ended_by_peer(self._response, exc)
        self.abort()
        self._transport = None
        self._owner.lost(self)

    # For the parser.

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self._ended:
            raise _RefusedError  # one request, one answer
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer, which goes nowhere."""
        self._headers.append((name, value))
        if len(self._headers) > HEADER_COUNT:
            raise _RefusedError

    def on_headers_complete(self) -> None:
        """The head is complete; 1xx is only a foreword."""
        self._status = self._parser.get_status_code()
        if self._status >= 200 and self._response is not None:
            self._response.started(self._status, self._headers)
            self._headers = []

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._noise = 0
        if self._response is not None and body:
            self._response.received(body)

    def on_message_complete(self) -> None:
        """The answer is complete."""
        if self._status >= 200:
            self._ended = True
            self._keep = self._parser.should_keep_alive()

    # Inside.

    def _finish(self, response: Response, *, clean: bool) -> None:
        transport = self._transport
        self._response = None
        response.completed()
        if (
            clean
            and self._keep
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        ):
            self._read_on()
            self.streamed = bool(response.header("transfer-encoding"))
            self.freed_at = self._loop.time()
            self._patience.expect(self.freed_at + IDLE_SECONDS)
            self._owner.freed(self)
        else:
            self.abort()

    def _ended_by_peer(self, response: Response, error: Exception | None) -> None:
        if error is None and response.status and not self._framed(response):
            self._response = None
            response.completed()
        else:
            self.fail(gone(response, error, secure=self.ssl_object() is not None))

    @staticmethod
    def _framed(response: Response) -> bool:
        """Tell whether the answer says how long it is; else the peer's close ends it."""
        return bool(response.header("content-length") or response.header("transfer-encoding"))

    def _read_on(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _overdue(self, deadline: float) -> None:
        if self._response is None:
            self.abort()
        else:
            self.fail(late(self._response, deadline))
