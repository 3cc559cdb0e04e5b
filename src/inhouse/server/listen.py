"""Listen on sockets, and stop in order: no new requests, running ones end, records are written."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

import uvloop
from msgspec import Struct

from inhouse.errors import ConfigError
from inhouse.gateway import Gateway
from inhouse.server import metrics
from inhouse.server.app import app
from inhouse.server.serving import BACKLOG, served

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

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        async with listening(gateway, hurry=hurry) as addresses:
            if on_started is not None:
                on_started(addresses)
            spare_what_stays()
            await stopping.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def spare_what_stays() -> None:
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
    hurry = hurry or asyncio.Event()

    def defect(error: Exception) -> None:
        gateway.log.defect("http server", error)

    async with contextlib.AsyncExitStack() as stack:
        # Bound first: where another gateway runs, its port is what people know it by.
        own = bound(config.server.host, config.server.port, "server")
        stack.callback(own.close)
        metrics_url = None
        if config.metrics.enabled:
            sock = bound(config.metrics.host, config.metrics.port, "metrics")
            shown = metrics.app(gateway.records.metrics.text)
            server = served(shown, [sock], defect, patience=1, hurry=hurry)
            await stack.enter_async_context(server)
            metrics_url = base_url(sock)
        server = served(app(gateway), [own], defect, patience=patience, hurry=hurry)
        await stack.enter_async_context(server)
        # Running requests are waited for, and nobody types along any more.
        stack.callback(gateway.orphans.close)
        yield Addresses(url=base_url(own), metrics=metrics_url)


def base_url(sock: socket.socket) -> str:
    """Return where a bound socket is reached."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def bound(host: str, port: int, section: str) -> socket.socket:
    """Return a socket that listens at the address; raises `ConfigError`."""
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
        sock.listen(BACKLOG)  # of two that are started at once, both might be bound
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
