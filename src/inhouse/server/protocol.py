"""HTTP/1.1 as callers speak it: requests one behind the other, limits on each, writes joined.

httptools parses; it has no limits of its own, neither of size nor of time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import httptools
import msgspec

from inhouse.server import unacceptable
from inhouse.server.asgi import Scope
from inhouse.server.cycle import STATUS_LINES, Cycle
from inhouse.server.service import Service, scope_of
from inhouse.server.unacceptable import MAX_BARREN, MAX_HEAD_BYTES, MAX_HEADERS, UnacceptableError

MAX_AHEAD = 16
"""Requests that are read while earlier ones of the same connection wait for their answers."""
MAX_BUFFERED = 65_536
"""Bytes of a body that are read while nobody takes them."""
STRIDE = 16_384
"""Bytes that are parsed before we look whether requests came faster than they are answered."""
PATIENCE = 60.0
"""Seconds in which a request must be here whole, and a reader that has stopped must read on."""
KEEP_ALIVE = 75.0
"""Seconds that an idle connection stays open: longer than proxies in front keep theirs."""
MAX_PARTS = 64
"""Pieces of answers that are joined at most."""
LINGER = 5.0
"""Seconds that who still sends has to read our last words: a reset would take them away."""

_VERSIONS = frozenset({"1.0", "1.1"})
_TELLING = frozenset({b"host", b"expect", b"transfer-encoding"})
"""Headers that tell how to read or answer a request, whatever it asks."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Connection(asyncio.Protocol):
    """One caller's connection.

    What is not HTTP is refused with 400, a head that does not end with 431; `sweep`, called now
    and again, leaves callers who keep us waiting.
    """

    def __init__(self, service: Service) -> None:
        """Wait for a caller."""
        self.clock = service.clock
        self.ended: Callable[[], None] | None = None
        """What wants to know when the connection ends."""
        self.writing_paused = False
        self.reading_paused = False
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", None)
        self._parser: Any = self._new_parser()
        self._held: memoryview | bytes = b""
        """What has come and is not parsed yet, since earlier requests wait for their answers."""
        self._parts: list[bytes] = []
        self._drained: asyncio.Future[None] | None = None
        self._unread = 0
        self._unread_since = 0.0
        self._reading: Cycle | None = None
        """The request that came last."""
        self._answering: Cycle | None = None
        """The request whose answer is due."""
        self._ahead: deque[tuple[Cycle, Scope]] = deque()
        self._refusal = b""
        """What answers all that comes behind the requests that are still to be answered."""
        self._deaf = False
        """Whether what comes in is of no interest any more."""
        self._left_at = 0.0
        self._in_head = False
        self._in_body = False
        self._declining = False
        """Whether a parser that has been offered another protocol is to be replaced."""
        self._fruitful = False
        self._barren = 0
        """Bytes received since the last of the body."""
        self._head_bytes = 0
        """Received of the head; of one behind another request, only from its second stride on."""
        self._awaited_since: float | None = None
        """Since when a request is coming in; None where none is."""
        self._idle_since = 0.0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._hosts = 0
        self._expects = False
        self._wrong: UnacceptableError | None = None

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        self._transport = cast("asyncio.Transport", transport)
        self._awaited_since = self._loop.time()
        self._service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002, asyncio's signature
        """Stop what is done for a caller who is gone."""
        self._service.connections.discard(self)
        if self.ended is not None:
            self.ended()
        self._parser = None
        self._forget()
        self.resume_writing()
        self._service.left()

    def pause_writing(self) -> None:
        """Let whoever answers wait for the reader."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """Let whoever answers go on."""
        self.writing_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Parse, but no faster than is answered."""
        if len(data) <= STRIDE:
            self._parse(data)
        else:
            self._held = memoryview(data)
            self._parse_held()

    # What the parser tells; an exception makes it stop.

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._url = b""
        self._headers = []
        self._hosts = 0
        self._expects = False
        self._wrong = None
        self._in_head = True
        if self._awaited_since is None:
            self._awaited_since = self._loop.time()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; how many there are is limited by their bytes until all are here."""
        if not self._in_head:
            return  # a trailer: proxies in front look at headers alone, so it must count for none
        name = name.lower()
        if name in _TELLING:
            if name == b"host":
                self._hosts += 1
            elif name == b"expect":
                self._expects = value.lower() == b"100-continue"
            elif value.strip().lower() != b"chunked":
                self._wrong = unacceptable.CODING
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Let the application begin; refuse a large head that came at once."""
        self._in_head = False
        self._in_body = True
        self._barren = 0
        if self._declining:
            return
        version = self._parser.get_http_version()
        if len(self._headers) > MAX_HEADERS or self._too_large():
            self._wrong = unacceptable.TOO_LARGE
        elif version not in _VERSIONS:
            self._wrong = unacceptable.VERSION
        elif self._hosts != 1 and (self._hosts or version == "1.1"):
            self._wrong = unacceptable.HOST
        if self._wrong is not None:
            self._in_body = False
            raise self._wrong
        method = self._parser.get_method().decode("ascii")
        scope = scope_of(method, self._url, version, self._headers)
        expects = self._expects and version == "1.1"
        cycle = Cycle(self, method=scope["method"], version=version, expects=expects)
        if not self._parser.should_keep_alive():
            cycle.keep_alive = False
        self._declining = self._parser.should_upgrade()
        self._reading = cycle
        if self._answering is None:
            self._start(cycle, scope)
        else:
            self._ahead.append((cycle, scope))
            self._regulate()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of the body, unless its request is answered already."""
        self._fruitful = True
        cycle = self._reading
        if cycle is not None and not cycle.complete:
            cycle.feed(body)
            if cycle.buffered > MAX_BUFFERED:
                self._regulate()

    def on_message_complete(self) -> None:
        """Expect the next head."""
        if self._declining and self._parser.should_upgrade():
            return  # its body is still to come
        self._in_body = False
        self._head_bytes = 0
        self._awaited_since = None
        if self._reading is not None:
            self._reading.feed_end()

    # What the requests tell.

    def write(self, data: bytes) -> None:
        """Send once whoever runs now has to wait: a token in a burst costs a third less."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        if len(self._parts) >= MAX_PARTS:
            self._flush()  # or who never has to wait would never hear that nobody reads

    async def drain(self) -> None:
        """Wait until the reader has caught up, or is gone."""
        if self.writing_paused:
            self._drained = self._loop.create_future()
            await self._drained

    def taken(self) -> None:
        """Read on where a body was too much at once."""
        if self.reading_paused:
            self._regulate()

    def answered(self, cycle: Cycle, data: bytes) -> None:
        """Send the last of an answer at once, and go on to the next request."""
        if self._parts:
            self._parts.append(data)
            self._flush()
        elif not self._transport.is_closing():
            self._transport.write(data)
        self._answering = None
        if not cycle.keep_alive:
            self._leave(heard=self._reading is cycle and not cycle.more_body)
            return
        if self._ahead and not (self._refusal and self._ahead[0][0].more_body):
            self._start(*self._ahead.popleft())
        elif self._refusal:
            self._transport.write(self._refusal)
            self._leave(heard=False)
            return
        else:
            self._idle_since = self._loop.time()
        if self.reading_paused:
            self._regulate()

    def returned(self, cycle: Cycle, error: Exception | None) -> None:
        """Cut an answer that has no end."""
        service = self._service
        service.tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        if error is not None:
            service.defect(error)
        if not cycle.complete and not cycle.gone:
            self._parts.append(cycle.cut())
            self._flush()
            self._transport.close()
        service.left()

    # What the server tells.

    def sweep(self, now: float) -> None:
        """Close what has kept us waiting for too long by the loop time `now`."""
        if self._left_at:
            if now - self._left_at > LINGER and not self._transport.get_write_buffer_size():
                self._transport.abort()
                return
        else:
            self._urge(now)
        unread = self._transport.get_write_buffer_size() if self.writing_paused else 0
        if unread != self._unread:
            self._unread, self._unread_since = unread, now
        elif unread and now - self._unread_since > PATIENCE:
            self._transport.abort()

    def _urge(self, now: float) -> None:
        since = self._awaited_since
        if since is not None:
            if now - since > PATIENCE and (self._answering is None or self._answering.more_body):
                why = f"This request was not here whole within {PATIENCE:g} s."
                self._refuse(408, "too_slow", why)
        elif self._answering is None and now - self._idle_since > KEEP_ALIVE:
            self._transport.close()

    def stop(self) -> None:
        """Close as soon as nothing is being answered."""
        if self._answering is None:
            self._transport.close()
        else:
            self._answering.keep_alive = False

    def abort(self) -> None:
        """Close at once, whatever is left to say."""
        self._transport.abort()

    def _new_parser(self) -> Any:
        parser: Any = httptools.HttpRequestParser(self)
        # What follows a request that asks us to close is to be ignored, not refused.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _parse(self, data: bytes | memoryview) -> None:
        """Parse, then refuse a head or a framing that has taken too much and still goes on."""
        if self._deaf or self._parser is None:
            return
        self._head_bytes = len(data) + (self._head_bytes if self._in_head else 0)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(*(self._wrong or unacceptable.MALFORMED).told)
        else:
            if self._in_body:
                self._barren = 0 if self._fruitful else self._barren + len(data)
                self._fruitful = False
                if self._barren > MAX_BARREN:
                    self._refuse(*unacceptable.BARREN.told)
            elif self._in_head and self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(*unacceptable.TOO_LARGE.told)

    def _parse_held(self) -> None:
        while self._held and not self._is_full():
            data, self._held = self._held[:STRIDE], self._held[STRIDE:]
            self._parse(data)

    def _decline(self, rest: bytes | memoryview) -> None:
        """Read on in HTTP/1.1 where another protocol was offered.

        The parser would leave what follows to that one, the request's own body included, so that
        another parser takes over: it is told where the body ends, and nothing else.
        """
        framing = [b"%b: %b\r\n" % each for each in self._headers if each[0] in _FRAMING]
        self._parser = self._new_parser()
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
        self._declining = False
        self._parse(rest)

    def _start(self, cycle: Cycle, scope: Scope) -> None:
        self._answering = cycle
        service = self._service
        service.tasks.add(cycle.start(service.application, scope, self._loop))

    def _too_large(self) -> bool:
        if self._head_bytes <= MAX_HEAD_BYTES:
            return False
        headers = sum(len(name) + len(value) for name, value in self._headers)
        return headers + len(self._url) > MAX_HEAD_BYTES

    def _flush(self) -> None:
        parts = self._parts
        if parts:
            # Whoever hangs up in this very turn is gone now, which uvloop takes for a mistake.
            if not (self._left_at or self._transport.is_closing()):
                self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
            parts.clear()

    def _is_full(self) -> bool:
        if len(self._ahead) >= MAX_AHEAD:
            return True
        reading = self._reading
        return reading is not None and not reading.complete and reading.buffered > MAX_BUFFERED

    def _regulate(self) -> None:
        """Read no further ahead than what can be answered soon."""
        full = self._is_full()
        if full and not self.reading_paused:
            self.reading_paused = True
            self._transport.pause_reading()
        elif not full and self.reading_paused:
            self.reading_paused = False
            self._parse_held()
            if not (self.reading_paused or self._transport.is_closing()):
                self._transport.resume_reading()

    def _refuse(self, status: int, code: str, why: str) -> None:
        """Say what is wrong and close, behind the answers to what was right."""
        about = {"message": why, "type": "invalid_request_error", "param": None, "code": code}
        body = msgspec.json.encode({"error": about})
        self._deaf = True
        self._refusal = (
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINES[status], len(body), body)
        )
        if self._answering is not None and not self._answering.more_body:
            return
        begun = self._in_body and self._reading is not None and self._reading.started
        if not begun:
            self._parts.append(self._refusal)
        self._leave(heard=False)

    def _leave(self, *, heard: bool) -> None:
        """Close; who may not have been `heard` out is listened to until it has read why."""
        self._flush()
        self._deaf = True
        self._forget()
        if heard or self._transport.is_closing():
            self._transport.close()
            return
        self._left_at = self._loop.time()
        self._transport.write_eof()
        if self.reading_paused:
            self.reading_paused = False
            self._transport.resume_reading()

    def _forget(self) -> None:
        self._held = b""
        self._ahead.clear()
        if self._answering is not None:
            self._answering.hang_up()
        self._answering = self._reading = None
