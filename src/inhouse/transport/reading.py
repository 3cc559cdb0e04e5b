"""The answers on one connection, parsed as they come in."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from inhouse.transport.limits import HEADER_COUNT, NOISE
from inhouse.transport.response import Response


class _RefusedError(Exception):
    """Ends parsing from within a callback of the parser."""


class Reading:
    """Hands what is parsed to the response that is expected."""

    __slots__ = ("_headers", "_noise", "_parser", "_response", "_status", "ended", "keeps")

    def __init__(self) -> None:
        """Expect nothing yet."""
        self._parser = HttpResponseParser(self)
        self._response: Response | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._status = 0
        self._noise = 0
        self.ended = False
        """Whether the answer is complete."""
        self.keeps = False
        """Whether the connection may serve on behind it."""

    def expect(self, response: Response) -> None:
        """Take what comes from now on for `response`."""
        self._response = response
        self._noise = 0
        self.ended = False

    def feed(self, data: bytes) -> bool:
        """Parse what has come; returns False where it is not proper HTTP, or too much of it."""
        self._noise += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):  # an error in a callback is one of these
            return False
        return self._noise <= NOISE

    # For the parser.

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self.ended:
            raise _RefusedError  # one request, one answer
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer, which goes nowhere."""
        self._headers.append((name, value))
        if len(self._headers) > HEADER_COUNT:
            raise _RefusedError

    def on_headers_complete(self) -> None:
        """The head is complete; 1xx is only a foreword."""
        self._status = self._parser.get_status_code()
        if self._status >= 200 and self._response is not None:
            self._response.started(self._status, self._headers)
            self._headers = []

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._noise = 0
        if self._response is not None and body:
            self._response.received(body)

    def on_message_complete(self) -> None:
        """The answer is complete."""
        if self._status >= 200:
            self.ended = True
            self.keeps = self._parser.should_keep_alive()
