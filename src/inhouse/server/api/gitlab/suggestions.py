"""``/v3/code/completions`` and ``/v4/code/suggestions``: the same, but for the form of streams."""

from __future__ import annotations

import contextlib

from inhouse.core.delta import Deltas
from inhouse.core.feature import Feature
from inhouse.features.joined import joined
from inhouse.server.api.gitlab.door import admit, text
from inhouse.server.api.gitlab.refusals import GITLAB
from inhouse.server.api.gitlab.suggesting import answering, suggest
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.server.streaming import stream
from inhouse.wire.gitlab import suggestions, unframed
from inhouse.wire.gitlab.editing import Editing
from inhouse.wire.gitlab.suggestion_events import EVENT_STREAM, Events

SCOPES = {Feature.COMPLETION: "complete_code", Feature.GENERATION: "generate_code"}
UNAUTHORIZED = "Unauthorized to access code suggestions"

LANGUAGE_SERVER = b"x-gitlab-language-server-version"


async def completions(exchange: Exchange) -> None:
    """``POST /v3/code/completions``: complete or write code; a stream is text without frames."""
    feature, editing, deltas = await _asked(exchange)
    if editing.stream:
        await stream(exchange, deltas, unframed.Unframed, unframed.KIND)
    else:
        await _answer(exchange, feature, editing, deltas)


async def suggest_code(exchange: Exchange) -> None:
    """``POST /v4/code/suggestions``: complete or write code; a stream has events."""
    feature, editing, deltas = await _asked(exchange)
    if editing.stream:
        await stream_events(exchange, feature, editing, deltas)
    else:
        await _answer(exchange, feature, editing, deltas)


async def stream_events(
    exchange: Exchange, feature: Feature, editing: Editing, deltas: Deltas
) -> None:
    """Send the answer as server-sent events."""
    await stream(
        exchange,
        deltas,
        lambda: Events(answering(exchange, feature, editing)),
        EVENT_STREAM,
        headers=((b"x-streaming-format", b"sse"),),
    )


async def _asked(exchange: Exchange) -> tuple[Feature, Editing, Deltas]:
    visitor = await admit(exchange)
    # Whoever may ask for neither is told so before the body is read.
    visitor.require(*SCOPES.values(), why=UNAUTHORIZED)
    raw = await exchange.body()
    feature, editing = suggestions.decode(raw, text(exchange, LANGUAGE_SERVER))
    visitor.require(SCOPES[feature], why=UNAUTHORIZED)
    return feature, editing, await suggest(exchange, visitor, feature, editing)


async def _answer(exchange: Exchange, feature: Feature, editing: Editing, deltas: Deltas) -> None:
    async with contextlib.aclosing(deltas):
        whole = await joined(deltas)
    who = answering(exchange, feature, editing)
    await exchange.answer(suggestions.suggestions_answer(who, whole))


ENDPOINTS = tuple(
    Endpoint(method="POST", path=path, handle=handle, dialect=GITLAB)
    for path, handle in (
        ("/v3/code/completions", completions),
        ("/v4/code/suggestions", suggest_code),
    )
)
