"""An application on sockets, and its orderly stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Sequence

from inhouse.server.asgi import Application
from inhouse.server.protocol import Connection
from inhouse.server.service import Service

BACKLOG = 2048
LAST_WORDS = 5.0
"""Seconds that cancelled requests get to abort their upstreams and leave their traces."""


SWEEP_EVERY = 5.0
"""Seconds between looks for connections that keep us waiting."""


@contextlib.asynccontextmanager
async def served(
    application: Application,
    sockets: Sequence[socket.socket],
    defect: Callable[[Exception], None],
    *,
    patience: float,
    hurry: asyncio.Event,
) -> AsyncGenerator[Callable[[], Connection]]:
    """Serve what connects to bound sockets; yields what makes protocols for other connections.

    `defect` hears what the application does not catch. Leaving takes no new requests, and waits
    for running ones: `patience` seconds at most, or until `hurry` is set.
    """
    service = Service(application, defect)
    loop = asyncio.get_running_loop()

    def connection() -> Connection:
        return Connection(service)

    servers = [await loop.create_server(connection, sock=sock, backlog=BACKLOG) for sock in sockets]
    sweeping = asyncio.create_task(_sweep(service))
    try:
        yield connection
    finally:
        sweeping.cancel()
        for server in servers:
            server.close()
        await _stop(service, patience, hurry)


async def _sweep(service: Service) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        for connection in list(service.connections):
            connection.sweep(loop.time())


async def _stop(service: Service, patience: float, hurry: asyncio.Event) -> None:
    for connection in list(service.connections):
        connection.stop()
    await _either(service.stopping(), hurry, patience)
    running = set(service.tasks)
    if running:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=LAST_WORDS)
    for connection in list(service.connections):
        connection.abort()


async def _either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    """Wait until one of the two is set, for so many seconds at most."""
    waiting = [asyncio.ensure_future(each.wait()) for each in (first, second)]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
