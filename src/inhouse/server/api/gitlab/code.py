"""``/v2/code/completions``, ``/v2/completions``, ``/v2/code/generations``: unframed text."""

from __future__ import annotations

import contextlib

from inhouse.core.delta import Deltas
from inhouse.core.feature import Feature
from inhouse.features.joined import joined
from inhouse.server.api.gitlab.door import admit
from inhouse.server.api.gitlab.refusals import GITLAB
from inhouse.server.api.gitlab.suggesting import answering, counted, suggest
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.server.streaming import stream
from inhouse.wire.gitlab import code, unframed
from inhouse.wire.gitlab.editing import Editing


async def completions(exchange: Exchange) -> None:
    """``POST /v2/code/completions``: fill in at the cursor; editors may ask with our tokens."""
    visitor = await admit(exchange)
    visitor.require("complete_code", why="Unauthorized to access code completions", editors=True)
    editing = code.decode_completion(await exchange.body())
    deltas = await suggest(exchange, visitor, Feature.COMPLETION, editing)
    await answer(exchange, Feature.COMPLETION, editing, deltas)


async def generations(exchange: Exchange) -> None:
    """``POST /v2/code/generations``: write code at the cursor."""
    visitor = await admit(exchange)
    visitor.require("generate_code", why="Unauthorized to access code generations")
    editing = code.decode_generation(await exchange.body())
    deltas = await suggest(exchange, visitor, Feature.GENERATION, editing)
    await answer(exchange, Feature.GENERATION, editing, deltas)


async def answer(exchange: Exchange, feature: Feature, editing: Editing, deltas: Deltas) -> None:
    """Send the answer in the form of version 2: JSON, or text without frames."""
    if editing.stream:
        await stream(exchange, deltas, unframed.Unframed, unframed.KIND)
        return
    async with contextlib.aclosing(deltas):
        whole = await joined(deltas)
    tokens = counted(editing, whole) if feature is Feature.COMPLETION else None
    who = answering(exchange, feature, editing)
    await exchange.answer(code.code_answer(who, whole, tokens))


ENDPOINTS = tuple(
    Endpoint(method="POST", path=path, handle=handle, dialect=GITLAB)
    for path, handle in (
        ("/v2/code/completions", completions),
        ("/v2/completions", completions),
        ("/v2/code/generations", generations),
    )
)
