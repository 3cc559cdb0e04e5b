"""Admin operations: one entry describes the door, drives it, and documents it in OpenAPI."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from inhouse.core.requests import Caller
from inhouse.errors import InhouseError
from inhouse.gateway import Gateway
from inhouse.server import auth
from inhouse.server.dialect import Dialect
from inhouse.server.errors import Problem, problem
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.wire.decoding import decode_json, invalid

_encode = msgspec.json.Encoder(enc_hook=str).encode


class ErrorDetail(Struct, frozen=True):
    """What went wrong: a sentence for people, a word for programs, the field, where to look."""

    message: str
    code: str
    param: str | None
    trace_id: str


class ErrorAnswer(Struct, frozen=True):
    """Every error of the admin API."""

    error: ErrorDetail


class Call(Struct, frozen=True):
    """One call of an operation, decoded: `body` and `query` are of the operation's types."""

    gateway: Gateway
    caller: Caller
    variables: dict[str, str]
    body: Any
    query: Any


class Operation(Struct, frozen=True, kw_only=True):
    """One door of the admin API.

    `path` may hold variables in braces. `query`, `body` and `answer` are structs, None where there
    is none. `writes` asks for the role admin; reading is open to auditors too. `example` is a body.
    With `lines`, `run` returns a generator of answers, sent as they come, one a line.
    """

    method: str
    path: str
    summary: str
    run: Callable[[Call], Awaitable[Any]]
    tag: str
    answer: Any = None
    body: Any = None
    query: Any = None
    status: int = 200
    writes: bool = False
    example: dict[str, Any] | None = None
    lines: bool = False

    def endpoint(self) -> Endpoint:
        """Return the door itself."""
        decoder = None if self.body is None else msgspec.json.Decoder(self.body)

        async def handle(exchange: Exchange) -> None:
            caller = exchange.authenticate()
            (auth.require_admin if self.writes else auth.require_reader)(caller)
            body = None if decoder is None else decode_json(await exchange.body(), decoder)
            query = None if self.query is None else _query(exchange.query, self.query)
            call = Call(exchange.gateway, caller, exchange.variables, body, query)
            if self.lines:
                await _send_lines(exchange, await self.run(call))
                return
            answer = await self.run(call)
            sent = b"" if self.answer is None else _encode(answer)
            await exchange.answer(sent, status=self.status, headers=UNCACHED)

        return Endpoint(method=self.method, path=self.path, handle=handle, dialect=ADMIN)


UNCACHED = ((b"cache-control", b"no-store"),)
LINES = "application/x-ndjson"
"""A JSON value a line."""


async def _send_lines(exchange: Exchange, answers: AsyncGenerator[Any]) -> None:
    """Send answers as they come; an error before the first has its status, later ones a line."""
    async with contextlib.aclosing(answers):
        line = _encode(await anext(answers))
        await exchange.begin_stream(LINES.encode())
        try:
            await exchange.write(line + b"\n")
            async for answer in answers:
                await exchange.write(_encode(answer) + b"\n")
            await exchange.end()
        except InhouseError as error:
            status, body = refusal(problem(error), exchange.recording.id)
            exchange.recording.fail(error, status)
            await exchange.end(body + b"\n")


def refusal(found: Problem, trace_id: str) -> tuple[int, bytes]:
    """Return status and body of an error in the admin API's shape."""
    detail = ErrorDetail(found.message, found.code, found.param, trace_id)
    return found.status, _encode(ErrorAnswer(detail))


ADMIN = Dialect(name="admin", refusal=refusal, late=lambda body: body + b"\n")


def _query(text: str, shape: Any) -> Any:
    """Return the query string as the struct `shape`; raises `InvalidValueError`."""
    given = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
