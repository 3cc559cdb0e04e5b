"""One of several processes of a gateway: it serves the connections that its supervisor hands on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable

from inhouse.gateway import Gateway
from inhouse.server import metrics
from inhouse.server.app import app
from inhouse.server.board import Board
from inhouse.server.link import READY, Kind, Lower
from inhouse.server.listen import spare_what_stays
from inhouse.server.protocol import Connection
from inhouse.server.serving import served

PUBLISH_EVERY = 1.0
"""Seconds between two looks at what this worker has counted."""

Make = Callable[[], Connection]


class Desk:
    """A worker's place among the others: its link to the supervisor, and its place on the board."""

    def __init__(self, place: int, link: Lower, board: Board, *, first: bool) -> None:
        """Take what the supervisor has made; the `first` worker speaks for all at the start."""
        self.first = first
        self.place = place
        self.board = board
        self._link = link
        self._connecting: set[asyncio.Task[None]] = set()
        self._makers: dict[Kind, Make] = {}
        self.stopping = asyncio.Event()
        self.hurry = asyncio.Event()

    @contextlib.asynccontextmanager
    async def taking(self, makers: dict[Kind, Make]) -> AsyncGenerator[None]:
        """Take connections while the block runs, served by the protocols of each kind's maker."""
        self._makers = makers
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._link.fileno(), self._read)
        self._say(READY)
        try:
            yield
        finally:
            # Who has been let in is answered, or told that we close.
            if self._connecting:
                await asyncio.wait(self._connecting)

    def _read(self) -> None:
        for kind, number, handed in self._link.received():
            if kind in self._makers:
                if handed is None:  # there was no room for another file, and nobody is there now
                    self._say(number)
                    continue
                task = self._loop.create_task(self._connect(kind, number, handed))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)
            elif kind is Kind.HURRY:
                self.hurry.set()
            elif self.stopping.is_set():
                # The supervisor itself is gone: nothing more will come.
                self._loop.remove_reader(self._link.fileno())
            else:
                self.stopping.set()

    async def _connect(self, kind: Kind, number: int, handed: socket.socket) -> None:
        handed.setblocking(False)
        made = self._makers[kind]()
        made.ended = lambda: self._say(number)
        try:
            await self._loop.connect_accepted_socket(lambda: made, handed)
        except OSError:  # whoever it was has hung up already
            handed.close()
            self._say(number)

    def _say(self, number: int) -> None:
        if not self._link.send(number):
            self._loop.add_writer(self._link.fileno(), self._say_the_rest)

    def _say_the_rest(self) -> None:
        if self._link.flush():
            self._loop.remove_writer(self._link.fileno())


async def work(gateway: Gateway, desk: Desk, on_started: Callable[[], None]) -> None:
    """Serve what is handed on, until the supervisor says stop, or is gone."""

    def defect(error: Exception) -> None:
        gateway.log.defect("http server", error)

    shown = metrics.app(lambda: _all_metrics(gateway, desk))
    patience = gateway.config.server.shutdown_seconds
    async with contextlib.AsyncExitStack() as stack:
        metered = served(shown, (), defect, patience=1, hurry=desk.hurry)
        makers: dict[Kind, Make] = {Kind.METRICS: await stack.enter_async_context(metered)}
        called = served(app(gateway), (), defect, patience=patience, hurry=desk.hurry)
        makers[Kind.CALLER] = await stack.enter_async_context(called)
        await stack.enter_async_context(desk.taking(makers))
        publishing = asyncio.create_task(_publish(gateway, desk))
        stack.callback(publishing.cancel)
        on_started()
        spare_what_stays()
        await desk.stopping.wait()


def _all_metrics(gateway: Gateway, desk: Desk) -> bytes:
    desk.board.write(desk.place, gateway.records.metrics.snapshot())
    return desk.board.text()


async def _publish(gateway: Gateway, desk: Desk) -> None:
    fits = True
    while True:
        written = desk.board.write(desk.place, gateway.records.metrics.snapshot())
        if fits and not written:
            gateway.log.failure("metrics not shared", why="they are too many for their place")
        fits = written
        await asyncio.sleep(PUBLISH_EVERY)
