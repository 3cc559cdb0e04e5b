"""What one deployment is asked: the operation, its body, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import Params
from inhouse.providers.bedrock.upstream import Upstream
from inhouse.providers.broken import messages_only, unrendered
from inhouse.wire.bedrock.answers import ConverseReading
from inhouse.wire.bedrock.converse import converse_body, stops
from inhouse.wire.bedrock.raw import RawReading, raw_body, raw_stops

Reading = ConverseReading | RawReading


class Question(Struct, frozen=True, kw_only=True):
    """One request, with `headers` of its own; `kept` are the stop sequences that are ours to watch.

    Without a `reading` the answer comes in one piece.
    """

    operation: str
    body: bytes
    headers: bytes = b""
    kept: tuple[str, ...]
    reading: Callable[[], Reading] | None


def question(upstream: Upstream, prompt: Prompt, params: Params) -> Question:
    """Return what to ask, as far as the model's habits are known; raises UpstreamError."""
    match prompt:
        case Text(text):
            return _raw(upstream, text, params)
        case Messages():
            return _conversation(upstream, prompt, params)
        case Fim():
            raise unrendered(upstream.deployment)


def _raw(upstream: Upstream, text: str, params: Params) -> Question:
    if upstream.raw is None:
        raise messages_only(upstream, param="options.raw_prompts")
    return Question(
        operation="invoke-with-response-stream",
        body=raw_body(upstream.raw, text, params),
        headers=upstream.guardrail,
        kept=raw_stops(upstream.raw, params)[1],
        reading=RawReading,
    )


def _conversation(upstream: Upstream, prompt: Messages, params: Params) -> Question:
    habits = upstream.habits
    sent, kept = stops(params, habits, upstream.model.vendor)
    # A hang-up reaches AWS in mid-stream only, so whoever can stream is asked to.
    tools = params.extra.get("tools") or any(each.tool_calls for each in prompt.messages)
    streamed = habits.streams and (habits.streams_tools or not tools)
    return Question(
        operation="converse-stream" if streamed else "converse",
        body=converse_body(
            prompt.messages, params, habits, upstream.extras, stop=sent, streamed=streamed
        ),
        kept=kept,
        reading=ConverseReading if streamed else None,
    )
