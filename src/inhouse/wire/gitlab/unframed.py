"""Streams of text without any frame or end mark, which GitLab calls an event stream."""

from __future__ import annotations

from inhouse.core.delta import Delta

KIND = b"text/event-stream; charset=utf-8"


class Unframed:
    """Says the text alone."""

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def encode(self, delta: Delta) -> bytes:
        """Return the delta's text."""
        return delta.text.encode()

    def end(self) -> bytes:
        """Return nothing: the stream ends with its connection's body."""
        return b""
