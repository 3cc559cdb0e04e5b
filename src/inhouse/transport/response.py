"""One answer while it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from inhouse.core.deadlines import Deadlines
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.limits import HIGH_WATER, Allowance


class Line(Protocol):
    """What a response needs of the connection that it comes in on."""

    def pause(self) -> None:
        """Read nothing more for now."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def linger(self) -> None:
        """Read the end of the answer for nobody, to use the connection again."""
        ...

    def abort(self) -> None:
        """Close at once; what was not sent is dropped."""
        ...


class Response:
    """The status, the headers, and the body in the pieces in which it arrives.

    Whoever has it calls `abort` or `release` in the end; both do nothing once the body is read.
    """

    __slots__ = (
        "_complete",
        "_error",
        "_line",
        "_loop",
        "_parts",
        "_paused",
        "_raw",
        "_size",
        "_waiter",
        "begun",
        "deadlines",
        "expires",
        "first_by",
        "place",
        "status",
    )

    def __init__(self, place: str, deadlines: Deadlines, loop: asyncio.AbstractEventLoop) -> None:
        """Expect an answer from `place`; the deadlines run from now on."""
        started = loop.time()
        self._loop = loop
        self.place = place
        self.deadlines = deadlines
        self.expires = started + deadlines.total
        """The loop time by which it must be complete."""
        self.first_by = min(started + deadlines.first_token, self.expires)
        """The loop time by which the first byte of its body must be there."""
        self.status = 0
        self.begun = False
        """Whether a byte of the body has come."""
        self._raw: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._paused = False
        self._complete = False
        self._error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._line: Line | None = None

    def allowance(self) -> Allowance:
        """Return how long opening a connection may take from now on."""
        connect = self.deadlines.connect
        left = self.first_by - self._loop.time()
        if left >= connect:
            return Allowance(connect, "connect_timeout")
        total = self.first_by == self.expires
        return Allowance(left, "total_timeout" if total else "first_token_timeout")

    # For the reader.

    def header(self, name: str, default: str = "") -> str:
        """Return the first header field of this name, in whatever case it came."""
        wanted = name.lower().encode()
        for found, value in self._raw:
            if found.lower() == wanted:
                return value.decode("latin-1")
        return default

    @property
    def headers(self) -> dict[str, str]:
        """All header fields by lower-case name; of repeated ones the first."""
        return {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in reversed(self._raw)
        }

    async def head(self) -> None:
        """Wait for status and headers; raises UpstreamError."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def next(self) -> bytes:
        """Return what has arrived of the body, at least a byte; nothing means that it is complete.

        Cancellation aborts the request. Raises UpstreamError.
        """
        while True:
            if self._parts:
                return self._take()
            if self._error is not None:
                raise self._error
            if self._complete:
                return b""
            await self._wait()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body as it arrives; leaving early aborts the request. Raises UpstreamError."""
        try:
            while data := await self.next():
                yield data
        finally:
            self.abort()

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            UpstreamError: it failed on the way, or is longer than `limit` bytes.

        """
        parts: list[bytes] = []
        size = 0
        while part := await self.next():
            parts.append(part)
            size += len(part)
            if size > limit:
                self.abort()
                raise UpstreamError(
                    UpstreamFailure.PROTOCOL,
                    f"{self.place} answered with more than {limit} bytes, the limit here.",
                    status=self.status,
                )
        return b"".join(parts)

    def abort(self) -> None:
        """Drop the rest, and the connection with it; the upstream sees the hang-up at once."""
        line, self._line = self._line, None
        if line is not None:
            line.abort()

    def release(self) -> None:
        """Want nothing more, but leave the connection usable where the end is near."""
        line, self._line = self._line, None
        if line is not None:
            line.linger()

    # For the connection.

    def attach(self, line: Line) -> None:
        """Come in on `line` from now on."""
        self._line = line

    def started(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Status and headers are there."""
        self.status = status
        self._raw = headers
        self._wake()

    def received(self, data: bytes) -> None:
        """A piece of the body is there."""
        self.begun = True
        if self._line is None:
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER and not self._paused:
            self._paused = True
            self._line.pause()
        self._wake()

    def completed(self) -> None:
        """The body has ended as it should; the connection may serve others."""
        self._complete = True
        self._line = None
        self._wake()

    def fail(self, failure: UpstreamFailure, what: str) -> None:
        """The upstream did `what`, and nothing more will come."""
        self.failed(UpstreamError(failure, f"{self.place} {what}", status=self.status or None))

    def failed(self, error: UpstreamError) -> None:
        """Nothing more will come."""
        if not self._complete and self._error is None:
            self._error = error
            self._line = None
            self._wake()

    def _take(self) -> bytes:
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            if self._line is not None:
                self._line.resume()
        return data

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None
