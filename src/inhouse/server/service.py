"""What all connections of one server share, and what an application is told of each request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol
from urllib.parse import unquote

import httptools

from inhouse.server.asgi import Application, Scope
from inhouse.server.cycle import Clock

_ASGI = {"version": "3.0", "spec_version": "2.3"}


class Connection(Protocol):
    """A connection, as the server that it belongs to has it."""

    def sweep(self, now: float) -> None:
        """Close what has kept us waiting for too long by the loop time `now`."""
        ...

    def stop(self) -> None:
        """Close as soon as nothing is being answered."""
        ...

    def abort(self) -> None:
        """Close at once, whatever is left to say."""
        ...


class Service:
    """What all connections of one server share."""

    def __init__(self, application: Application, defect: Callable[[Exception], None]) -> None:
        """Serve an application; `defect` hears of what it does not catch."""
        self.application = application
        self.defect = defect
        self.clock = Clock()
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._idle: asyncio.Event | None = None

    def stopping(self) -> asyncio.Event:
        """Return what is set as soon as there is neither a connection nor a task."""
        self._idle = asyncio.Event()
        self.left()
        return self._idle

    def left(self) -> None:
        """Hear that a connection or a task has ended."""
        if self._idle is not None and not self.connections and not self.tasks:
            self._idle.set()


def scope_of(method: str, target: bytes, version: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    """Return the scope of a request; its target may be in any form that HTTP has for it."""
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/") or b"#" in target:
        parsed = httptools.parse_url(target)
        path, query = parsed.path or b"/", parsed.query or b""
    decoded = path.decode("ascii")
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": version,
        "method": method,
        "scheme": "http",
        "path": unquote(decoded) if "%" in decoded else decoded,
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
    }
