"""Names to addresses, off the event loop: bounded, shared by those who ask at once, kept briefly.

The loops' own resolvers share a few threads with everything else, and a name server that does not
answer would hold all of them: the store and other upstreams would wait with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

from inhouse.transport.addresses import parse

KEEP_SECONDS = 5.0
"""An upstream that closes each connection would otherwise cost a lookup a request."""
LOOKUPS = 16
"""Lookups that run at once, each in a thread of its own; at most one a name."""
KEPT = 1024

Lookup = Callable[[str], tuple[str, ...]]
"""Returns the addresses of a name, the best first; blocks. Raises OSError, ValueError."""


def system_lookup(name: str) -> tuple[str, ...]:
    """Ask the system, that is the hosts file and the DNS."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


class Resolver:
    """Looks names up; belongs to one event loop."""

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        """Ask `lookup`, in threads."""
        self._lookup = lookup
        self._kept: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._running: dict[str, asyncio.Task[tuple[str, ...]]] = {}
        self._slots = asyncio.Semaphore(LOOKUPS)

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host, the best first; one that is an address is itself.

        Cancelling leaves the lookup to others, or to the next who asks. Raises OSError.
        """
        if parse(host) is not None:
            return (host,)
        until, found = self._kept.get(host, (0.0, ()))
        if asyncio.get_running_loop().time() < until:
            return found
        task = self._running.get(host)
        if task is None:
            task = asyncio.create_task(self._ask(host), name=f"lookup of {host}")
            self._running[host] = task
            task.add_done_callback(lambda done: self._ended(host, done))
        # A thread in the C library's resolver cannot be stopped, so nobody starts a second one.
        return await asyncio.shield(task)

    def prefer(self, host: str, address: str) -> None:
        """Put the address first that could be connected to, while the others are kept."""
        if (kept := self._kept.get(host)) is not None and address in kept[1]:
            rest = tuple(each for each in kept[1] if each != address)
            self._kept[host] = kept[0], (address, *rest)

    def forget(self, host: str) -> None:
        """Look the name up anew next time: it may have moved."""
        self._kept.pop(host, None)

    async def aclose(self) -> None:
        """Wait for no lookup any more."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, host: str) -> tuple[str, ...]:
        async with self._slots:
            found = await _in_thread(self._lookup, host)
        if isinstance(found, Exception):
            raise found
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[host] = asyncio.get_running_loop().time() + KEEP_SECONDS, found
        return found

    def _ended(self, host: str, task: asyncio.Task[tuple[str, ...]]) -> None:
        self._running.pop(host, None)
        if not task.cancelled():
            task.exception()  # nobody may be left to see it


async def _in_thread(lookup: Lookup, host: str) -> tuple[str, ...] | Exception:
    """Run `lookup` in a thread that neither the executor nor the end of the process waits for."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[tuple[str, ...] | Exception] = loop.create_future()

    def settle(found: tuple[str, ...] | Exception) -> None:
        if not answered.done():
            answered.set_result(found)

    def run() -> None:
        found: tuple[str, ...] | Exception
        try:
            found = lookup(host)
        except OSError as error:
            found = error
        except ValueError:  # a label of more than 63 characters, say
            found = socket.gaierror(socket.EAI_NONAME, "no proper name")
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=run, name=f"lookup of {host}", daemon=True).start()
    return await answered
