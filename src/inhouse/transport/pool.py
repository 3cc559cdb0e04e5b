"""The connections to one origin: last used first out, bounded, waited for in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from inhouse.transport.connection import Connection
from inhouse.transport.faults import STOPPING, busy, crowded
from inhouse.transport.limits import MAX_CONNECTIONS, PROBATION_SECONDS, WAITERS, Allowance
from inhouse.transport.response import Response

Dial = Callable[[Callable[[], Connection], Allowance], Awaitable[Connection]]
"""Opens a connection made by a factory, in the time that it may take."""


class Pool:
    """Hands out connections to one origin.

    `count` of them exist or are being opened, never more than `limit`. Whoever finds no room waits;
    a freed connection, or room for a new one, goes to the one that waits longest.
    """

    def __init__(self, place: str, dial: Dial) -> None:
        """Open connections with `dial`."""
        self.limit = MAX_CONNECTIONS
        self.count = 0
        self._place = place
        self._dial = dial
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        # llama.cpp promises to keep a connection behind a stream, and closes it: whether a stream's
        # connection is kept is believed only once one of them has lived on for a while.
        self._keeps_streams: bool | None = None
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()

    def take(self, *, eager: bool = False) -> Connection | None:
        """Return an idle connection that still works, None where there is none.

        Only an `eager` caller gets one that may be closed behind its stream in this very moment.
        """
        now = self._loop.time()
        for position in range(len(self._idle) - 1, -1, -1):
            connection = self._idle[position]
            early = connection.streamed and now - connection.freed_at < PROBATION_SECONDS
            if early and not (self._keeps_streams or eager):
                continue
            del self._idle[position]
            if connection.usable():
                if connection.streamed and not early and self._keeps_streams is None:
                    self._keeps_streams = True
                return connection
            self._note_loss(connection)
            connection.abort()
        return None

    async def get(self, response: Response) -> Connection:
        """Return a new connection for a response, or one that is waited for where there are enough.

        Raises UpstreamError.
        """
        if self.count >= self.limit:
            patience = response.first_by - self._loop.time()
            connection = self.take(eager=True) or await self._queue(patience)
            if connection is not None:
                return connection
        else:
            self.count += 1
        return await self._open(response.allowance())

    def freed(self, connection: Connection) -> None:
        """Take back a connection that works."""
        waiter = self._next()
        if waiter is None:
            self._idle.append(connection)
        else:
            waiter.set_result(connection)

    def lost(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        if connection in self._all:
            self._all.remove(connection)
            if connection in self._idle:
                self._idle.remove(connection)
                self._note_loss(connection)
            self._leave()

    def abort(self) -> None:
        """Close every connection."""
        for connection in list(self._all):
            connection.fail(STOPPING)

    async def _open(self, allowed: Allowance) -> Connection:
        try:
            connection = await self._dial(self._new, allowed)
        except BaseException:
            self._leave()
            raise
        self._all.add(connection)
        if connection.closed:
            self.lost(connection)
        return connection

    def _note_loss(self, connection: Connection) -> None:
        """An idle connection was closed; right behind a stream, that is the upstream's habit."""
        early = self._loop.time() - connection.freed_at < PROBATION_SECONDS
        if connection.streamed and early:
            self._keeps_streams = False

    def _new(self) -> Connection:
        return Connection(self._loop, self)

    async def _queue(self, patience: float) -> Connection | None:
        """Wait for a connection, or for room to open one (None)."""
        if len(self._waiters) >= WAITERS:
            raise crowded(self._place)
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(patience):
                return await waiter
        except BaseException as error:
            self._give_back(waiter)
            if isinstance(error, TimeoutError):
                raise busy(self._place, self.limit, patience) from None
            raise

    def _give_back(self, waiter: asyncio.Future[Connection | None]) -> None:
        """Pass on what a waiter was given in the moment in which it gave up."""
        if not waiter.done() or waiter.cancelled():
            with contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
        elif (connection := waiter.result()) is not None:
            self.freed(connection)
        else:
            self._leave()

    def _leave(self) -> None:
        """Pass the room of a connection on, or count it as free."""
        waiter = self._next()
        if waiter is not None:
            waiter.set_result(None)
            return
        self.count -= 1

    def _next(self) -> asyncio.Future[Connection | None] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None
