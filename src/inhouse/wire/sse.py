"""Server-sent events: take a stream apart however it was cut, and write one event.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

LARGEST_EVENT = 8 * 1024 * 1024


class EventTooLargeError(Exception):
    """An event grew over the decoder's limit without an end."""


class Decoder:
    r"""Yields the data of events, in bytes; comments, ids and types are of no use here.

    Lines may end in ``\n``, ``\r\n`` or ``\r``, in any mixture and split anywhere.
    """

    def __init__(self, limit: int = LARGEST_EVENT) -> None:
        """Refuse events over `limit` bytes."""
        self._limit = limit
        self._rest: list[bytes] = []
        self._size = 0
        self._after_return = False
        self._first = True

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the data of the events that they complete.

        Raises:
            EventTooLargeError: more than `limit` bytes without the end of an event.

        """
        if self._after_return or b"\r" in data:
            data = self._with_newlines(data)
        # Mostly a token comes alone, and whole.
        whole = data.startswith(b"data: ") and data.endswith(b"\n\n") and not self._rest
        if whole and data.find(b"\n") == len(data) - 2:
            return [data[6:-2]]
        if self._rest and data:
            if b"\n\n" not in self._rest[-1][-1:] + data:
                # Not joined yet: a long event in small pieces would be copied with each of them.
                self._keep(data)
                return []
            data = b"".join((*self._rest, data))
            self._rest.clear()
            self._size = 0
        events = data.split(b"\n\n")
        if rest := events.pop():
            self._keep(rest)
        found: list[bytes] = []
        for event in events:
            if event.startswith(b"data: ") and b"\n" not in event:
                found.append(event[6:])
            elif (payload := self._payload(event)) is not None:
                found.append(payload)
        return found

    def finish(self) -> list[bytes]:
        """The stream has ended: return the data of an event whose blank line is missing."""
        payload = self._payload(b"".join(self._rest))
        self._rest.clear()
        self._size = 0
        return [] if payload is None else [payload]

    def _keep(self, rest: bytes) -> None:
        self._rest.append(rest)
        self._size += len(rest)
        if self._size > self._limit:
            raise EventTooLargeError

    def _with_newlines(self, data: bytes) -> bytes:
        if self._after_return and data.startswith(b"\n"):
            data = data[1:]
            self._after_return = False
        if data:
            self._after_return = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _payload(self, event: bytes) -> bytes | None:
        """Read an event line by line; None where it has no data."""
        if self._first:
            event = event.removeprefix(b"\xef\xbb\xbf")
        self._first = False
        data: list[bytes] = []
        for line in event.split(b"\n"):
            name, _, value = line.partition(b":")
            if name == b"data":
                data.append(value.removeprefix(b" "))
        return b"\n".join(data) if data else None


def event(data: bytes) -> bytes:
    """Return an event with `data`, which holds no line break."""
    return b"data: " + data + b"\n\n"
