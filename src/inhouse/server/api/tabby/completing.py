"""``POST /v1/completions`` with ``segments``: a suggestion in one piece."""

from __future__ import annotations

import contextlib

from inhouse.core.feature import Feature
from inhouse.core.requests import Caller
from inhouse.features.joined import joined
from inhouse.routing.target import resolve
from inhouse.server.api.tabby.refusals import TABBY
from inhouse.server.exchange import Exchange
from inhouse.wire.tabby import answers, inbound
from inhouse.wire.tabby.events import completion_id

LONGEST_USER = 255


async def completions(exchange: Exchange) -> None:
    """``POST /tabby/v1/completions``: fill in at the cursor."""
    caller = exchange.authenticate()
    await complete(exchange, caller, await exchange.body())


async def complete(exchange: Exchange, caller: Caller, raw: bytes) -> None:
    """Answer a body of this dialect, whatever door it came through."""
    exchange.dialect = TABBY
    gateway, recording = exchange.gateway, exchange.recording
    recording.model = recording.feature = Feature.COMPLETION.value
    body = inbound.decode_completion(raw)
    recording.user = (body.user or "")[:LONGEST_USER]
    if body.wants_debug_data:
        recording.warn("The request asks for debug data, which no answer here holds.")
    target = resolve(
        gateway.catalog, recording.model, caller, Feature.COMPLETION, exchange.deadlines()
    )
    request = inbound.completion_request(body, recording.request_id, fresh=exchange.fresh)
    async with contextlib.aclosing(gateway.completion.stream(request, target, recording)) as deltas:
        answer = await joined(deltas)
    suggestion = completion_id(recording.id, recording.deployment)
    await exchange.answer(answers.completion_answer(suggestion, answer))
