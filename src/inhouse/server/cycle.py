"""One HTTP request and its answer, as ASGI has them: what is received, and what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import Protocol

from inhouse.server.asgi import GONE, LEFT, Application, Message, Scope

STATUS_LINES = {
    each.value: b"HTTP/1.1 %d %b\r\n" % (each.value, each.phrase.encode()) for each in HTTPStatus
}
BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
LAST = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DISCONNECT: Message = {"type": "http.disconnect"}


class Clock:
    """Makes the header with the time, once a second."""

    def __init__(self) -> None:
        """Begin without one."""
        self._second = 0
        self._header = b""

    def header(self) -> bytes:
        """Return the line of the head that tells the time."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._header = b"date: " + formatdate(second, usegmt=True).encode()
        return self._header


class Line(Protocol):
    """The connection that a request came in on."""

    clock: Clock
    writing_paused: bool
    """Whether what was written waits for a slow reader."""
    reading_paused: bool
    """Whether what comes in waits for us."""

    def write(self, data: bytes) -> None:
        """Send soon, together with what else is written in this turn of the loop."""
        ...

    async def drain(self) -> None:
        """Wait until the reader has caught up, or is gone."""
        ...

    def taken(self) -> None:
        """Hear that what has come of a body was taken, so that more may come."""
        ...

    def answered(self, cycle: Cycle, data: bytes) -> None:
        """Send the last of an answer at once."""
        ...

    def returned(self, cycle: Cycle, error: Exception | None) -> None:
        """Hear that the application is through with the request, with what it did not catch."""
        ...


class Cycle:
    """One request on its way through the application.

    A caller who hangs up before the answer is complete ends the task, in whatever phase it is,
    unless the application wants to go on.
    """

    __slots__ = (
        "_awaited",
        "_bodiless",
        "_chunked",
        "_chunks",
        "_expects",
        "_head",
        "_left",
        "_line",
        "_pieces",
        "_running",
        "_task",
        "_told",
        "buffered",
        "complete",
        "gone",
        "keep_alive",
        "more_body",
        "started",
    )

    def __init__(self, line: Line, *, method: str, version: str, expects: bool) -> None:
        """Wrap a request whose head is here; `expects` is whether it waits for our 100."""
        self.keep_alive = version == "1.1"
        self.more_body = True
        """Whether the end of the body is still to come."""
        self.buffered = 0
        """Bytes of the body that the application has not taken yet."""
        self.started = False
        self.complete = False
        self.gone = False
        self._line = line
        self._expects = expects
        self._pieces: list[bytes] = []
        self._told = False
        self._awaited: asyncio.Future[None] | None = None
        self._head = b""
        self._bodiless = method == "HEAD"
        # An older caller reads until we close.
        self._chunks = self.keep_alive
        self._chunked = False
        self._task: asyncio.Task[None] | None = None
        self._running = False
        self._left: Callable[[], bool] | None = None

    def start(
        self, application: Application, scope: Scope, loop: asyncio.AbstractEventLoop
    ) -> asyncio.Task[None]:
        """Let the application answer, in a task of its own."""
        # The scope knows us: if we knew it, each request would leave a circle of objects.
        scope["extensions"] = {GONE: self.is_gone, LEFT: self.when_left}
        self._task = loop.create_task(self._run(application, scope))
        return self._task

    def is_gone(self) -> bool:
        """Tell whether the caller has hung up before the answer was complete."""
        return self.gone

    def when_left(self, left: Callable[[], bool]) -> None:
        """Ask `left` when the caller hangs up; where it returns true, the task goes on."""
        self._left = left

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._pieces.append(piece)
        self.buffered += len(piece)
        if self._awaited is not None:
            self._wake()

    def feed_end(self) -> None:
        """Take note that the body is here whole."""
        self.more_body = False
        if self._awaited is not None:
            self._wake()

    def hang_up(self) -> None:
        """The caller is gone: stop what is done for it, unless that is done."""
        if self.complete:
            return
        self.gone = True
        self._wake()
        # A task that has not begun would end without a trace of the request.
        if self._task is not None and self._running and not (self._left and self._left()):
            self._task.cancel()

    async def receive(self) -> Message:
        """Return what came of the body, or, behind its end, that the caller is gone."""
        if self._unasked() and not self.gone:
            self._line.write(CONTINUE)
        self._expects = False
        while not (self._pieces or self.gone or self.complete) and (self.more_body or self._told):
            self._awaited = asyncio.get_running_loop().create_future()
            await self._awaited
        if self.gone:
            await asyncio.sleep(0)  # here the cancellation arrives
        if self.gone or self.complete:
            return DISCONNECT
        pieces, self._pieces = self._pieces, []
        self.buffered = 0
        more_body = self.more_body
        self._told = not more_body
        if self._line.reading_paused:
            self._line.taken()  # which may bring the rest
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return {"type": "http.request", "body": body, "more_body": more_body}

    async def send(self, message: Message) -> None:
        """Send the head with the first piece of the body, then the rest; unheard if gone."""
        line = self._line
        if line.writing_paused:
            await line.drain()
        if self.gone or self.complete:
            return
        if message["type"] == "http.response.start":
            self.started = True
            self._head = self._begun(message["status"], message["headers"])
            return
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            line.write(self._framed(body, b""))
        else:
            self.complete = True
            line.answered(self, self._framed(body, LAST))

    def cut(self) -> bytes:
        """Return what is left to send of an answer that has no end."""
        self.gone = True
        return self._head

    async def _run(self, application: Application, scope: Scope) -> None:
        self._running = True
        found: Exception | None = None
        if self.gone and self._task is not None:
            self._task.cancel()
        try:
            await application(scope, self.receive, self.send)
        except asyncio.CancelledError:
            pass  # the caller's end or the server's: either way nothing comes behind it
        except Exception as error:  # noqa: BLE001, whatever it is, others go on
            found = error
        finally:
            self._line.returned(self, found)
            self._task = None

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def _unasked(self) -> bool:
        """Tell whether the caller still waits to be asked for its body."""
        return self._expects and self.more_body and not self._pieces

    def _begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        if self._unasked():
            self.keep_alive = False  # nobody knows whether its body comes, or another request
        lines = [b": ".join(header) for header in headers]
        lines.append(self._line.clock.header())
        if not self.keep_alive:
            lines.append(b"connection: close")
        head = STATUS_LINES[status] + b"\r\n".join(lines)
        if head.count(b"\n") != len(lines):
            raise ValueError("A header of an answer has more than one line.")
        if status in BODILESS:
            self._bodiless = True
        elif self._chunks and not self._bodiless and b"\r\ncontent-length: " not in head:
            self._chunked = True
            return head + b"\r\ntransfer-encoding: chunked\r\n\r\n"
        return head + b"\r\n\r\n"

    def _framed(self, body: bytes, end: bytes) -> bytes:
        head, self._head = self._head, b""
        if self._bodiless:
            return head
        if not self._chunked:
            return head + body
        return b"%b%x\r\n%b\r\n%b" % (head, len(body), body, end) if body else head + end
