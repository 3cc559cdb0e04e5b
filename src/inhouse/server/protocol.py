"""uvicorn's HTTP/1.1 protocol: limits on the head of a request, errors as JSON, joined writes."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 200
PATIENCE = 60.0
"""Seconds in which a request must be here whole, and a reader that has stopped must read on."""
UPGRADE = b"\r\nUpgrade: h2c\r\n"
"""The offer of HTTP/2 that Java's client and curl make with their first request."""


class _Joined:
    """A transport that sends together what is written in one turn of the loop.

    uvloop makes a system call of each write. An answer writes its head, its body, and each token:
    joined, a token in a burst costs a third less, and a whole answer a tenth.
    """

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send once whoever runs now has to wait: nothing is held back for longer."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)

    def flush(self) -> None:
        """Send what has been written so far."""
        parts = self._parts
        if parts:
            # Whoever hangs up in this very turn is gone now, which uvloop takes for a mistake.
            if not self._transport.is_closing():
                self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
            parts.clear()

    def close(self) -> None:
        """Send what is left, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """Refuses what is not HTTP with 400, and a head that does not end with 431.

    httptools itself collects a head without any limit, and uvicorn waits without any for requests
    that do not end and for readers that do not read; `sweep`, called now and again, does not.
    """

    _in_head = False
    _in_body = False
    _head_bytes = 0
    """Received since the read that began the head: never less than the head itself."""
    _head_too_large = False
    _awaited_since: float | None = None
    """Since when a request is coming in; None where none is."""
    _unread = 0
    _unread_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write through `_Joined` from now on."""
        self._joined = _Joined(cast(asyncio.Transport, transport), self.loop)
        self._awaited_since = self.loop.time()
        super().connection_made(cast(asyncio.Transport, self._joined))

    def sweep(self, now: float) -> None:
        """Close what has kept us waiting for too long by the loop time `now`."""
        since = self._awaited_since
        if since is not None and now - since > PATIENCE and not self._answering():
            if self._in_body and self.cycle.response_started:
                self.transport.close()
            else:
                why = f"This request was not here whole within {PATIENCE:g} s."
                self._refuse(408, "too_slow", why)
        unread = self.transport.get_write_buffer_size() if self.flow.write_paused else 0
        if unread != self._unread:
            self._unread, self._unread_since = unread, now
        elif unread and now - self._unread_since > PATIENCE:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse, then refuse a head that has taken too much and still goes on."""
        if not self._in_body and UPGRADE in data:
            # We may ignore the offer, but the parser would leave the request's body unread.
            data = data.replace(UPGRADE, b"\r\n", 1)
        self._head_bytes = len(data) + (self._head_bytes if self._in_head else 0)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._head_too_large = True
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head = True
        if self._awaited_since is None:
            self._awaited_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; an exception makes the parser stop."""
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            self._head_too_large = True
            raise ValueError

    def on_headers_complete(self) -> None:
        """Stop counting, since a body has its own limit; refuse a large head that came at once."""
        self._in_head, self._in_body = False, True
        if self._head_bytes > MAX_HEAD_BYTES:
            headers = sum(len(name) + len(value) for name, value in self.headers)
            if headers + len(self.url) > MAX_HEAD_BYTES:
                self._head_too_large = True
                raise ValueError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._in_body = False
        self._awaited_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Let a complete answer go without waiting for the loop's next turn."""
        self._joined.flush()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002, uvicorn's signature
        """Say what is wrong and close; uvicorn calls this for whatever its parser refuses."""
        status, code = 400, "malformed"
        why = "This is not a request as HTTP/1.1 has it."
        if self._head_too_large:
            status, code = 431, "head_too_large"
            why = (
                f"The head of this request has more than {MAX_HEAD_BYTES:,} bytes"
                f" or {MAX_HEADERS} headers."
            )
        self._refuse(status, code, why)

    def _answering(self) -> bool:
        """Tell whether what comes in has to wait for the answer to an earlier request."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def _refuse(self, status: int, code: str, why: str) -> None:
        about = {"message": why, "type": "invalid_request_error", "param": None, "code": code}
        body = msgspec.json.encode({"error": about})
        self.transport.write(
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(body), body)
        )
        self.transport.close()
