"""``/v1/chat/{name}``: conversations in the form of older GitLabs."""

from __future__ import annotations

import contextlib
import time

from inhouse.core.feature import Feature
from inhouse.errors import NotFoundError
from inhouse.features.joined import joined
from inhouse.server.api.gitlab import choosing, door
from inhouse.server.api.gitlab.refusals import GITLAB, refuse
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.server.streaming import stream
from inhouse.wire.gitlab import conversations as wire
from inhouse.wire.gitlab.model import requested
from inhouse.wire.gitlab.unframed import KIND, Unframed

NOT_FOUND = "Not found"

NAMES: dict[str, tuple[Feature, tuple[str, ...]]] = {
    "agent": (Feature.CHAT, ("duo_chat",)),
    "explain_code": (Feature.CHAT_EXPLAIN, ("explain_code", "duo_chat")),
    "write_tests": (Feature.CHAT_TESTS, ("write_tests", "duo_chat")),
    "refactor_code": (Feature.CHAT_REFACTOR, ("refactor_code", "duo_chat")),
    "explain_vulnerability": (Feature.CHAT_VULNERABILITY, ("explain_vulnerability",)),
    "summarize_comments": (Feature.CHAT_COMMENTS, ("summarize_comments",)),
    "troubleshoot_job": (Feature.CHAT_TROUBLESHOOT, ("troubleshoot_job",)),
}
"""The feature that answers each, and what GitLab's licence must allow: any of these."""


async def chat(exchange: Exchange) -> None:
    """``POST /v1/chat/{name}``: continue a conversation that GitLab has written, in its words."""
    visitor = await door.admit(exchange)
    known = NAMES.get(exchange.variables["name"])
    if known is None:
        await refuse(exchange, NotFoundError(NOT_FOUND), 404, NOT_FOUND)
        return
    feature, scopes = known
    visitor.require(*scopes, why=f"Unauthorized to access {scopes[0]}")
    body = wire.decode_conversation(await exchange.body())
    recording = exchange.recording
    recording.stream = bool(body.stream)
    request = wire.conversation(body, recording.request_id)
    model = requested(body.model_metadata) or requested(body.named)
    target = await choosing.target(exchange, visitor, model, feature)
    deltas = exchange.gateway.tasks.prepared(request, target, recording)
    if body.stream:
        await stream(exchange, deltas, Unframed, KIND)
        return
    async with contextlib.aclosing(deltas):
        text = (await joined(deltas)).choices[0].text
    answer = wire.answer(text, body.payload, recording.deployment, int(time.time()))
    await exchange.answer(answer)


ENDPOINTS = (Endpoint(method="POST", path="/v1/chat/{name}", handle=chat, dialect=GITLAB),)
