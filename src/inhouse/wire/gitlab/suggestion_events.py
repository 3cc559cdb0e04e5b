"""Streams of version 4 of GitLab's code API: server-sent events."""

from __future__ import annotations

from typing import Any

import msgspec

from inhouse.core.delta import Delta
from inhouse.wire.gitlab.answers import Answering

EVENT_STREAM = b"text/event-stream; charset=utf-8"

_encode = msgspec.json.Encoder().encode


class Events:
    """Streams an answer as server-sent events; an answer that fails has no ``stream_end``."""

    def __init__(self, answering: Answering) -> None:
        """Say in the first event who answers."""
        self._answering = answering

    def begin(self) -> bytes:
        """Return the event that says who answers."""
        who = self._answering
        about: dict[str, Any] = {
            "model": {"engine": who.engine, "name": who.name},
            "timestamp": who.created,
        }
        if who.flags:
            about["enabled_feature_flags"] = who.flags
        return _event(b"stream_start", {"metadata": about})

    def encode(self, delta: Delta) -> bytes:
        """Return the event for a delta, nothing where it has no text."""
        if not delta.text:
            return b""
        choice = {"delta": {"content": delta.text}, "index": delta.index}
        return _event(b"content_chunk", {"choices": [choice]})

    def end(self) -> bytes:
        """Return the event that says that nothing is missing."""
        return _event(b"stream_end", None)


def _event(name: bytes, data: object) -> bytes:
    return b"event: %b\r\ndata: %b\r\n\r\n" % (name, _encode(data))
