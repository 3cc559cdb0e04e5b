"""What one deployment is asked: the operation, its body, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from inhouse.core.delta import Delta
from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import Params
from inhouse.core.stops import Stops
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.bedrock.failures import messages_only
from inhouse.providers.bedrock.upstream import Upstream
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
            raise UpstreamError(
                UpstreamFailure.BAD_REQUEST,
                f"'{upstream.deployment.name}' takes rendered prompts only: render the hole with"
                " the family's sentinels first.",
            )


def _raw(upstream: Upstream, text: str, params: Params) -> Question:
    if upstream.raw is None:
        raise messages_only(upstream)
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


class Cut:
    """Ends a choice at stop sequences that its model does not take."""

    def __init__(self, kept: tuple[str, ...]) -> None:
        """Watch for `kept`, which are not empty."""
        self._stops = Stops(kept)

    @property
    def done(self) -> bool:
        """Whether one has come; nothing more is wanted."""
        return self._stops.done

    def through(self, delta: Delta) -> list[Delta]:
        """Return what is left of a delta."""
        text = self._stops.feed(delta.text)
        if self._stops.done:
            return [Delta(text=text, finish_reason="stop")]
        if delta.finish_reason:
            text += self._stops.finish()
        if not delta.text:
            return [Delta(text=text), delta] if text else [delta]
        cut = Delta(text=text, finish_reason=delta.finish_reason)
        return [cut] if text or delta.finish_reason else []
