"""One HTTP request and its answer, over raw ASGI."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

import msgspec

from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.requests import Caller
from inhouse.errors import InvalidValueError
from inhouse.gateway import Gateway
from inhouse.records.recording import Recording
from inhouse.server import auth
from inhouse.server.asgi import Receive, Scope, Send
from inhouse.server.body import read_body
from inhouse.server.dialect import Dialect
from inhouse.server.errors import Headers
from inhouse.server.hangup import Hangup

JSON = b"application/json"
LONGEST_REQUEST_ID = 255

_DEADLINES = {
    b"x-inhouse-connect-timeout": "connect",
    b"x-inhouse-first-token-timeout": "first_token",
    b"x-inhouse-between-tokens-timeout": "between_tokens",
    b"x-inhouse-total-timeout": "total",
}
"""The headers by which a request sets its own deadlines, in seconds."""


class Exchange:
    """What a handler works with: it reads the request, asks the gateway, and answers once.

    `variables` are the endpoint's path variables, percent-decoded. `dialect` is the endpoint's,
    unless the body turns out to be in another one.
    """

    __slots__ = (
        "_hangup",
        "_receive",
        "_scope",
        "_send",
        "dialect",
        "gateway",
        "headers",
        "recording",
        "started",
        "variables",
    )

    def __init__(
        self,
        gateway: Gateway,
        recording: Recording,
        hangup: Hangup,
        scope: Scope,
        receive: Receive,
        send: Send,
        variables: dict[str, str],
        dialect: Dialect,
    ) -> None:
        """Wrap one request; of a header that comes twice, the last counts."""
        self.gateway = gateway
        self.recording = recording
        self.variables = variables
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = False
        self.dialect = dialect
        self._hangup = hangup
        self._scope = scope
        self._receive = receive
        self._send = send

    @property
    def query(self) -> str:
        """The query string, still encoded."""
        return self._scope["query_string"].decode("latin-1")

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as we were asked; a proxy in front may be asked otherwise."""
        return self._scope["scheme"]

    @property
    def fresh(self) -> bool:
        """Whether the request wants no answer that is remembered (RFC 9111)."""
        return b"no-cache" in self.headers.get(b"cache-control", b"").lower()

    def authenticate(self) -> Caller:
        """Return the caller; raises `AuthenticationError`."""
        caller = self.gateway.authenticate(auth.key(self.headers))
        self.recording.caller = caller.name
        self.recording.team = caller.team
        return caller

    def deadlines(self) -> DeadlineOverrides:
        """Return what the request's headers say; raises `InvalidValueError`."""
        given = {
            phase: self.headers[name].decode("latin-1")
            for name, phase in _DEADLINES.items()
            if name in self.headers
        }
        if not given:
            return DeadlineOverrides()
        try:
            return msgspec.convert(given, DeadlineOverrides, strict=False)
        except msgspec.ValidationError as error:
            phase = str(error).partition(" - at `$.")[2].rstrip("`")
            name = f"X-Inhouse-{phase.replace('_', '-').title()}-Timeout"
            raise InvalidValueError(
                f"The header {name} must be a number of seconds, over 0 and at most 3600.",
                param=name,
            ) from None

    async def body(self) -> bytes:
        """Read the whole body, then watch for the caller's hang-up; raises `TooLargeError`."""
        body = await read_body(
            self._receive,
            self._hangup,
            declared=self.headers.get(b"content-length"),
            limit=self.gateway.config.server.max_body_bytes,
        )
        self._hangup.watch()
        return body

    async def answer(
        self, body: bytes, *, status: int = 200, kind: bytes = JSON, headers: Headers = ()
    ) -> None:
        """Send a whole answer; one with status 204 has no body."""
        length = (b"content-length", b"%d" % len(body))
        about = [(b"content-type", kind), length] if status != HTTPStatus.NO_CONTENT else []
        await self._begin(status, [*about, *headers])
        await self._send({"type": "http.response.body", "body": body})

    async def begin_stream(self, kind: bytes, headers: Headers = ()) -> None:
        """Send the head of an answer that comes in pieces."""
        # Proxies in front must not hold pieces back.
        unbuffered = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
        await self._begin(200, [(b"content-type", kind), *unbuffered, *headers])

    async def write(self, piece: bytes) -> None:
        """Send a piece of a streamed answer."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self, piece: bytes = b"") -> None:
        """Send the last piece."""
        await self._send({"type": "http.response.body", "body": piece})

    async def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        recording = self.recording
        if self.dialect.timed:
            headers.append((b"x-process-time", b"%.6f" % recording.elapsed))
        headers.extend(self.dialect.headers)
        headers.append((b"x-request-id", recording.request_id.encode("ascii")))
        headers.append((b"x-inhouse-trace-id", recording.id.encode("ascii")))
        if recording.deployment:
            headers.append((b"x-inhouse-deployment", _header_value(recording.deployment)))
        if recording.remembered:
            headers.append((b"x-inhouse-remembered", b"true"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})


def request_id(scope: Scope) -> str:
    """Return the caller's ``X-Request-ID`` where it is sane: up to 255 visible ASCII characters.

    That is as many as Rails takes from its own callers and hands on.
    """
    value: bytes = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    sane = len(value) <= LONGEST_REQUEST_ID and all(0x21 <= byte <= 0x7E for byte in value)
    return value.decode("ascii") if sane else ""


def _header_value(text: str) -> bytes:
    """Return `text` as a header may hold it: what is not printable ASCII is percent-encoded."""
    if text.isascii() and text.isprintable():
        return text.encode("ascii")
    return quote(text, safe=" ").encode("ascii")
