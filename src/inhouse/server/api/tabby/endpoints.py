"""Tabby's doors: each under ``/tabby``, and where Tabby itself has it, if nobody else does."""

from __future__ import annotations

from inhouse.server.api import openai
from inhouse.server.api.tabby import about, completing, events
from inhouse.server.api.tabby.refusals import TABBY
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.wire.tabby.conversation import with_model

PREFIX = "/tabby"


async def chat(exchange: Exchange) -> None:
    """``POST /v1beta/chat/completions``: OpenAI's, with ``chat`` where no model is said."""
    caller = exchange.authenticate()
    await openai.converse(exchange, caller, with_model(await exchange.body(), "chat"))


_QUIET = tuple(
    Endpoint(method=method, path=prefix + path, handle=handle, dialect=TABBY, recorded=False)
    for method, path, handle in (
        ("GET", "/v1/health", about.health),
        ("POST", "/v1/health", about.health),
        ("GET", "/v1beta/server_setting", about.settings),
        ("GET", "/v1beta/models", about.models),
        ("POST", "/v1/events", events.tell),
    )
    for prefix in ("", PREFIX)
)
"""Asked every half minute, or twice a suggestion: metrics count what matters of it."""

_CHAT = tuple(
    Endpoint(method="POST", path=path, handle=chat, dialect=openai.OPENAI)
    for path in (
        "/v1beta/chat/completions",
        f"{PREFIX}/v1beta/chat/completions",
        f"{PREFIX}/v1/chat/completions",
    )
)

ENDPOINTS = (
    Endpoint(
        method="POST",
        path=f"{PREFIX}/v1/completions",
        handle=completing.completions,
        dialect=TABBY,
    ),
    *_QUIET,
    *_CHAT,
)
