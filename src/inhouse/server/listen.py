"""Listen on sockets, and stop in order: no new requests, running ones end, records are written."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, TypeVar, cast

import uvicorn
import uvloop
from msgspec import Struct

from inhouse.errors import ConfigError
from inhouse.gateway import Gateway
from inhouse.records.log import Log
from inhouse.server import metrics
from inhouse.server.app import app
from inhouse.server.asgi import Application
from inhouse.server.protocol import Protocol

BACKLOG = 2048
KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than proxies in front keep theirs."""
SWEEP_EVERY = 5.0
"""Seconds between looks for connections that keep us waiting."""
LAST_WORDS = 5.0
"""Seconds that cancelled requests get to abort their upstreams and leave their traces."""

Result = TypeVar("Result")


class Addresses(Struct, frozen=True, kw_only=True):
    """Where a gateway listens, as base URLs; `metrics` is None where that listener is off."""

    url: str
    metrics: str | None


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a program on uvloop, which halves what each request costs."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def serve(gateway: Gateway, *, on_started: Callable[[Addresses], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; raises `ConfigError` where an address cannot be had.

    A second signal stops without waiting for running requests.
    """
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    hurry = asyncio.Event()

    def stop() -> None:
        (hurry if stopping.is_set() else stopping).set()

    # uvicorn's own handlers end the process before the records are written.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        async with listening(gateway, hurry=hurry) as addresses:
            if on_started is not None:
                on_started(addresses)
            _spare_what_stays()
            await stopping.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _spare_what_stays() -> None:
    """Keep the garbage collector from walking over all that the start has made, again and again.

    It is most of the heap and lives as long as the process: a sixth of each request's cost.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@contextlib.asynccontextmanager
async def listening(
    gateway: Gateway, *, hurry: asyncio.Event | None = None
) -> AsyncGenerator[Addresses]:
    """Serve while the block runs; raises `ConfigError` where an address cannot be had.

    Leaving waits for running requests, at most ``shutdown_seconds`` or until `hurry` is set.
    """
    config = gateway.config
    patience = config.server.shutdown_seconds
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_forwarded(gateway.log))
        # Bound first: where another gateway runs, its port is what people know it by.
        own = _bound(config.server.host, config.server.port, "server")
        stack.callback(own.close)
        metrics_url = None
        if config.metrics.enabled:
            sock = _bound(config.metrics.host, config.metrics.port, "metrics")
            server = _served(metrics.app(gateway), sock, patience=1, hurry=hurry)
            metrics_url = await stack.enter_async_context(server)
        server = _served(app(gateway), own, patience=patience, hurry=hurry)
        url = await stack.enter_async_context(server)
        yield Addresses(url=url, metrics=metrics_url)


@contextlib.asynccontextmanager
async def _served(
    application: Application, sock: socket.socket, *, patience: float, hurry: asyncio.Event | None
) -> AsyncGenerator[str]:
    config = uvicorn.Config(
        application,
        http=Protocol,
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=patience,  # pyright: ignore[reportArgumentType]  # any number
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    host, port = sock.getsockname()[:2]
    await server.startup(sockets=[sock])
    ticking = asyncio.create_task(server.main_loop())
    sweeping = asyncio.create_task(_sweep(server))
    try:
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        ticking.cancel()
        sweeping.cancel()
        hurrying = asyncio.create_task(_hurry(server, hurry)) if hurry is not None else None
        await server.shutdown(sockets=[sock])
        running = set(server.server_state.tasks)
        if running:
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=LAST_WORDS)
        if hurrying is not None:
            hurrying.cancel()


async def _sweep(server: uvicorn.Server) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        for connection in list(server.server_state.connections):
            cast("Protocol", connection).sweep(loop.time())


async def _hurry(server: uvicorn.Server, hurry: asyncio.Event) -> None:
    await hurry.wait()
    server.force_exit = True


def _bound(host: str, port: int, section: str) -> socket.socket:
    """Return a socket bound to the address, not yet listening."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _unusable(host, port, section, error) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _unusable(host, port, section, error) from error
    sock.setblocking(False)
    return sock


def _unusable(host: str, port: int, section: str, error: OSError | UnicodeError) -> ConfigError:
    why = error.strerror or error if isinstance(error, OSError) else "this is no host's name"
    return ConfigError(
        f"Cannot listen on {host}, port {port}: {why}."
        f" Choose another host or port in [{section}], or stop what listens there.",
        param=f"{section}.port",
    )


CUT = "ASGI callable returned without completing response."
"""What uvicorn says where we cut an answer on purpose; why has its trace."""


class _Forward(logging.Handler):
    """Hands uvicorn's own log records to ours."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, asyncio.CancelledError) or record.getMessage() == CUT:
            return
        if error is not None:
            self._log.defect("http server", error)
        elif record.levelno >= logging.WARNING:
            self._log.info("http server", why=record.getMessage())


@contextlib.contextmanager
def _forwarded(log: Log) -> Generator[None]:
    logger, handler = logging.getLogger("uvicorn.error"), _Forward(log)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
