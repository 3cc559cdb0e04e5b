"""Frames of AWS's event stream, decoded by botocore."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Protocol, cast

import msgspec
from msgspec import Struct

CONTENT_TYPE = "application/vnd.amazon.eventstream"


class DamagedError(Exception):
    """The stream is no event stream, or a frame of it is damaged."""


class Event(Struct, frozen=True):
    """A frame: an event of this kind, or an exception."""

    kind: str
    payload: bytes
    is_exception: bool = False


class _Frame(Protocol):
    headers: dict[str, Any]
    payload: bytes


class _Buffer(Protocol):
    def add_data(self, data: bytes) -> None: ...

    def __iter__(self) -> Iterator[_Frame]: ...


class Frames:
    """Cuts the bytes of one answer into events; they may come in any pieces."""

    def __init__(self) -> None:
        """Import botocore, which takes a while unless somebody has done so."""
        module = importlib.import_module("botocore.eventstream")
        self._buffer = cast(_Buffer, module.EventStreamBuffer())
        self._fault = cast(type[Exception], module.ParserError)

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete; raises DamagedError."""
        self._buffer.add_data(data)
        try:
            return [_event(frame) for frame in self._buffer]
        # A header of a type that nobody knows is a KeyError, bad text in one no ParserError either.
        except (self._fault, KeyError, ValueError) as error:
            raise DamagedError(type(error).__name__) from error


def _event(frame: _Frame) -> Event:
    headers = frame.headers
    match headers.get(":message-type"):
        case "exception":
            return Event(str(headers.get(":exception-type")), frame.payload, is_exception=True)
        case "error":
            said = msgspec.json.encode({"message": str(headers.get(":error-message", ""))})
            return Event(str(headers.get(":error-code")), said, is_exception=True)
        case _:
            return Event(str(headers.get(":event-type")), frame.payload)
