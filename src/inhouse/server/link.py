"""The link between the supervisor and a worker: connections go down, their ends come up.

A stream of messages of one size each way. Either side knows by its end that the other is gone,
however it went.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from enum import Enum

_DOWN = struct.Struct("!cQ")
_UP = struct.Struct("!Q")
READ_BYTES = 65_536
READY = 0
"""The number that a worker sends when it takes connections; those have larger ones."""


class Kind(Enum):
    """What the supervisor sends."""

    CALLER = b"c"
    METRICS = b"m"
    STOP = b"s"
    HURRY = b"h"


class Upper:
    """The supervisor's end; `fileno` is for selectors."""

    def __init__(self, sock: socket.socket) -> None:
        """Take one end of a pair of stream sockets."""
        sock.setblocking(False)
        self._socket = sock
        self._unread = b""

    def fileno(self) -> int:
        """Return the file descriptor to wait on."""
        return self._socket.fileno()

    def send(self, kind: Kind, number: int = 0, handed: socket.socket | None = None) -> bool:
        """Send a message; tells whether there was room for it. A worker that is gone takes none."""
        message, fds = _DOWN.pack(kind.value, number), [] if handed is None else [handed.fileno()]
        with contextlib.suppress(OSError):
            return socket.send_fds(self._socket, [message], fds) == len(message)
        return False

    def stop(self) -> None:
        """Send a stop, at the latest by the end of what is sent: it comes however full we are."""
        if not self.send(Kind.STOP):
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def received(self) -> list[int] | None:
        """Return the numbers that have come, None at the end."""
        try:
            more = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            more = b""
        if not more:
            return None
        self._unread += more
        whole = len(self._unread) // _UP.size * _UP.size
        numbers = [number for (number,) in _UP.iter_unpack(self._unread[:whole])]
        self._unread = self._unread[whole:]
        return numbers

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


class Lower:
    """The worker's end; `fileno` is for the event loop."""

    def __init__(self, sock: socket.socket) -> None:
        """Take the other end of the pair."""
        sock.setblocking(False)
        self._socket = sock
        self._unsent = b""

    def fileno(self) -> int:
        """Return the file descriptor to wait on."""
        return self._socket.fileno()

    def send(self, number: int) -> bool:
        """Send a number, after those that had no room before; tells whether all have gone."""
        return self.flush(_UP.pack(number))

    def flush(self, more: bytes = b"") -> bool:
        """Send what had no room before; tells whether all has gone."""
        self._unsent += more
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return False
        except OSError:
            self._unsent = b""  # nobody is there to know
        return not self._unsent

    def received(self) -> Iterator[tuple[Kind, int, socket.socket | None]]:
        """Yield kind, number and connection of what has come; at the end, a stop."""
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self._socket, _DOWN.size, 1)
            except BlockingIOError:
                return
            except OSError:
                message, fds = b"", []
            if len(message) < _DOWN.size:
                yield Kind.STOP, 0, None
                return
            kind, number = _DOWN.unpack(message)
            yield Kind(kind), number, socket.socket(fileno=fds[0]) if fds else None
