"""The endpoints of a GitLab that its editor extensions need, where there is no GitLab.

An API key of ours stands for the extension's token.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec

from inhouse.core.catalog import Role
from inhouse.core.requests import Caller
from inhouse.errors import ForbiddenError, InvalidValueError, UnknownEndpointError
from inhouse.server import auth
from inhouse.server.api.gitlab.code import answer
from inhouse.server.api.gitlab.door import Visitor
from inhouse.server.api.gitlab.refusals import phrase
from inhouse.server.api.gitlab.suggesting import suggest
from inhouse.server.api.gitlab.suggestions import stream_events
from inhouse.server.api.gitlab.tokens import mint
from inhouse.server.dialect import Dialect
from inhouse.server.errors import Problem
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.wire.gitlab import editor
from inhouse.wire.gitlab.editor import DirectAccess

TOKEN = b"private-token"
EVENTS = b"x-supports-sse-streaming"
"""By this an extension says that it reads server-sent events."""
PROTOCOL = b"x-forwarded-proto"
_HOST = re.compile(r"[A-Za-z0-9._-]+(?::[0-9]{1,5})?\Z|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?\Z")

Serve = Callable[[Exchange, Visitor], Awaitable[None]]


def refusal(found: Problem, trace_id: str) -> tuple[int, bytes]:
    """Return status and body of an error, as GitLab's REST API has them."""
    del trace_id
    status = found.status
    said = f"{status} {phrase(status)}"
    if status != HTTPStatus.UNAUTHORIZED and found.code != "unknown_path":
        said += f" - {found.message}"
    return status, msgspec.json.encode({"message": said})


EDITOR = Dialect(
    name="gitlab-editor",
    refusal=refusal,
    shared=True,
    headers=((b"access-control-allow-origin", b"*"),),
)


async def personal_token(exchange: Exchange, visitor: Visitor) -> None:
    """``GET /api/v4/personal_access_tokens/self``."""
    await exchange.answer(editor.personal_token(visitor.caller, _scopes(visitor.caller)))


async def oauth_token(exchange: Exchange, visitor: Visitor) -> None:
    """``GET /oauth/token/info``: extensions take a long token for one of OAuth."""
    await exchange.answer(editor.oauth_token(visitor.caller, _scopes(visitor.caller)))


async def version(exchange: Exchange, visitor: Visitor) -> None:
    """``GET /api/v4/version`` and ``/api/v4/metadata``."""
    del visitor
    await exchange.answer(editor.version())


async def graphql(exchange: Exchange, visitor: Visitor) -> None:
    """``POST /api/graphql``."""
    await exchange.answer(editor.graphql(await exchange.body(), visitor.caller))


async def suggestions(exchange: Exchange, visitor: Visitor) -> None:
    """``POST /api/v4/code_suggestions/completions``: complete or write code at the cursor."""
    feature, editing = editor.decode_suggestion(await exchange.body())
    deltas = await suggest(exchange, visitor, feature, editing)
    if editing.stream and exchange.headers.get(EVENTS, b"").strip().lower() == b"true":
        await stream_events(exchange, feature, editing, deltas)
    else:
        await answer(exchange, feature, editing, deltas)


async def direct_access(exchange: Exchange, visitor: Visitor) -> None:
    """``POST /api/v4/code_suggestions/direct_access``: how to ask ``/v2/completions`` itself."""
    if _scopes(visitor.caller) != ["api"]:
        raise ForbiddenError("The key may not ask models.")
    await exchange.body()
    issued = await mint(exchange, visitor)
    access = DirectAccess(
        base_url=exchange.gateway.config.gitlab.public_url or origin(exchange),
        token=issued.token,
        expires_at=issued.expires_at,
        # The user is the same by either way, so that later completions take the place of earlier.
        headers={
            "X-Gitlab-Authentication-Type": "oidc",
            "X-Gitlab-Global-User-Id": visitor.user,
        },
    )
    await exchange.answer(msgspec.json.encode(access), status=201)


async def connection_details(exchange: Exchange, visitor: Visitor) -> None:
    """``POST /api/v4/code_suggestions/connection_details``."""
    await exchange.body()
    host = origin(exchange).partition("://")[2]
    await exchange.answer(editor.connection_details(visitor.caller, host), status=201)


async def noted(exchange: Exchange, visitor: Visitor) -> None:
    """Answer what only wants to be heard: whether a project is enabled, and telemetry."""
    del visitor
    await exchange.body()
    await exchange.answer(b"{}")


def origin(exchange: Exchange) -> str:
    """Return the URL at which we were asked; raises `InvalidValueError` where nobody can tell."""
    host = exchange.headers.get(b"host", b"").decode("latin-1")
    if not _HOST.match(host):
        raise InvalidValueError(
            "The header Host names no host. Send one, or let public_url in [gitlab] of inhouse.toml"
            " say where editors reach this gateway.",
            param="Host",
        )
    secure = exchange.headers.get(PROTOCOL, b"").strip().lower() == b"https"
    return f"{'https' if secure else exchange.scheme}://{host}"


def _scopes(caller: Caller) -> list[str]:
    # The extensions refuse a token that has no scope `api`.
    return ["read_api"] if caller.role is Role.AUDITOR else ["api"]


def _visitor(exchange: Exchange) -> Visitor:
    """Return who asks, and note it; raises `AuthenticationError`."""
    token = exchange.headers.get(TOKEN, b"").decode("latin-1") or auth.key(exchange.headers)
    caller = exchange.gateway.authenticate(token)
    exchange.recording.caller = caller.name
    exchange.recording.team = caller.team
    exchange.recording.user = user = editor.user(caller)
    return Visitor(caller=caller, user=user)


def _endpoint(method: str, path: str, serve: Serve, *, recorded: bool = False) -> Endpoint:
    async def handle(exchange: Exchange) -> None:
        if not exchange.gateway.config.gitlab.serve_editor_api:
            raise UnknownEndpointError(
                "There is nothing here: serve_editor_api in [gitlab] of inhouse.toml is off."
            )
        await serve(exchange, _visitor(exchange))

    return Endpoint(method=method, path=path, handle=handle, dialect=EDITOR, recorded=recorded)


_SUGGESTIONS = "/api/v4/code_suggestions"

ENDPOINTS = (
    _endpoint("GET", "/api/v4/personal_access_tokens/self", personal_token),
    _endpoint("GET", "/oauth/token/info", oauth_token),
    _endpoint("GET", "/api/v4/version", version),
    _endpoint("GET", "/api/v4/metadata", version),
    _endpoint("POST", "/api/graphql", graphql),
    _endpoint("POST", f"{_SUGGESTIONS}/completions", suggestions, recorded=True),
    _endpoint("POST", f"{_SUGGESTIONS}/direct_access", direct_access, recorded=True),
    _endpoint("POST", f"{_SUGGESTIONS}/enabled", noted),
    _endpoint("POST", f"{_SUGGESTIONS}/connection_details", connection_details),
    _endpoint("POST", "/api/v4/usage_data/track_event", noted),
)
