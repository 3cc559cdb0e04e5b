"""What all endpoints for code do: ask the feature, say who answers, count what it took."""

from __future__ import annotations

import math
import time
from typing import Any

from inhouse.core.delta import Answer, Deltas
from inhouse.core.feature import Feature
from inhouse.features.asking import CHARACTERS_PER_TOKEN
from inhouse.server.api.gitlab import choosing
from inhouse.server.api.gitlab.door import Visitor
from inhouse.server.exchange import Exchange
from inhouse.wire.gitlab.answers import Answering
from inhouse.wire.gitlab.editing import Editing

FLAGS = b"x-gitlab-enabled-feature-flags"
ENGINES = {Feature.COMPLETION: "litellm", Feature.GENERATION: "agent"}
"""What GitLab's gateway calls its engines; GitLab and editors expect one of their names."""


async def suggest(
    exchange: Exchange, visitor: Visitor, feature: Feature, editing: Editing
) -> Deltas:
    """Return the deltas of a completion or a generation; nothing is asked before the first."""
    recording = exchange.recording
    recording.stream = editing.stream
    for remark in editing.remarks:
        recording.warn(remark)
    target = await choosing.target(exchange, visitor, editing.requested, feature)
    if feature is Feature.COMPLETION:
        user = visitor.asks_for(recording.id)
        hole = editing.completion(user, recording.request_id, fresh=exchange.fresh)
        return exchange.gateway.completion.stream(hole, target, recording)
    wanted = editing.generation(recording.request_id)
    return exchange.gateway.generation.stream(wanted, target, recording)


def answering(exchange: Exchange, feature: Feature, editing: Editing) -> Answering:
    """Return who answers, which is known behind the first delta."""
    recording = exchange.recording
    flags = exchange.headers.get(FLAGS, b"").decode("latin-1").split(",")
    return Answering(
        engine=ENGINES[feature],
        name=recording.family,
        language=editing.language,
        created=int(time.time()),
        flags=[flag.strip() for flag in flags if flag.strip()],
    )


def counted(editing: Editing, answer: Answer) -> dict[str, Any] | None:
    """Return the tokens of a completion, None where there is none.

    How many of them were context no upstream tells: those two figures are estimates.
    """
    if answer.usage is None or not any(choice.text.strip() for choice in answer.choices):
        return None
    sent = _tokens(sum(len(each.content) for each in editing.context))
    code = _tokens(len(editing.prefix) + len(editing.suffix))
    return {
        "input_tokens": answer.usage.prompt_tokens,
        "output_tokens": answer.usage.completion_tokens,
        "max_output_tokens_used": any(each.finish_reason == "length" for each in answer.choices),
        "context_tokens_sent": sent,
        "context_tokens_used": min(sent, max(0, answer.usage.prompt_tokens - code)),
    }


def _tokens(size: int) -> int:
    return math.ceil(size / CHARACTERS_PER_TOKEN)
