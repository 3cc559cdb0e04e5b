"""What we answer a caller in the OpenAI dialect: whole answers, streamed chunks, errors.

Chunks are the hot spot: where a delta carries text alone, its JSON is the text between two
constant halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from inhouse.core.delta import Answer, Choice, Delta, Usage

DONE = b"data: [DONE]\n\n"
EVENT_STREAM = b"text/event-stream; charset=utf-8"

_encode = msgspec.json.Encoder().encode


class Identity(Struct, frozen=True):
    """What every chunk of one answer repeats; `created` is a Unix time in whole seconds."""

    id: str
    created: int
    model: str


def chat_answer(identity: Identity, answer: Answer) -> bytes:
    """Return a whole chat answer as JSON."""
    choices = [_chat_choice(choice) for choice in answer.choices]
    return _answer(identity, "chatcmpl-", "chat.completion", choices, answer.usage)


def completion_answer(identity: Identity, answer: Answer) -> bytes:
    """Return a whole completion as JSON."""
    choices = [
        {
            "index": choice.index,
            "text": choice.text,
            "logprobs": choice.logprobs,
            "finish_reason": choice.finish_reason,
        }
        for choice in answer.choices
    ]
    return _answer(identity, "cmpl-", "text_completion", choices, answer.usage)


class ChatChunks:
    """Encodes a chat's deltas as SSE events; the first of each choice names the role."""

    def __init__(self, identity: Identity) -> None:
        """Render what does not change."""
        self._top = _top(identity, "chatcmpl-", "chat.completion.chunk")
        self._heads: dict[int, bytes] = {}

    def encode(self, delta: Delta) -> bytes:
        """Return the events for one delta; none for one that carries usage alone."""
        head = self._heads.get(delta.index)
        if head is not None and delta.text and _is_plain(delta):
            return b'%b{"content":%b},"logprobs":null,"finish_reason":null}]}\n\n' % (
                head,
                _encode(delta.text),
            )
        content = _chat_delta(delta)
        if not content and delta.finish_reason is None and delta.logprobs is None:
            return b""
        opening = b""
        if head is None:
            head = b'%b[{"index":%d,"delta":' % (self._top, delta.index)
            self._heads[delta.index] = head
            opening = (
                head
                + b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
            )
        return b'%b%b%b,"logprobs":%b,"finish_reason":%b}]}\n\n' % (
            opening,
            head,
            _encode(content),
            _encode(delta.logprobs),
            _encode(delta.finish_reason),
        )

    def usage(self, usage: Usage | None) -> bytes:
        """Return the event that ends a stream whose caller asked for the usage."""
        return b'%b[],"usage":%b}\n\n' % (self._top, _encode(_usage(usage)))


class CompletionChunks:
    """Encodes a completion's deltas as SSE events."""

    def __init__(self, identity: Identity) -> None:
        """Render what does not change."""
        self._top = _top(identity, "cmpl-", "text_completion")
        self._heads: dict[int, bytes] = {}

    def encode(self, delta: Delta) -> bytes:
        """Return the event for one delta; none for one that carries usage alone."""
        head = self._heads.get(delta.index)
        if head is None:
            head = b'%b[{"index":%d,"text":' % (self._top, delta.index)
            self._heads[delta.index] = head
        if delta.finish_reason is None and delta.logprobs is None:
            if not delta.text:
                return b""
            return b'%b%b,"logprobs":null,"finish_reason":null}]}\n\n' % (head, _encode(delta.text))
        return b'%b%b,"logprobs":%b,"finish_reason":%b}]}\n\n' % (
            head,
            _encode(delta.text),
            _encode(delta.logprobs),
            _encode(delta.finish_reason),
        )

    def usage(self, usage: Usage | None) -> bytes:
        """Return the event that ends a stream whose caller asked for the usage."""
        return b'%b[],"usage":%b}\n\n' % (self._top, _encode(_usage(usage)))


def models(names: Sequence[str], created: int) -> bytes:
    """Return the list of models as JSON."""
    return _encode({"object": "list", "data": [_model(name, created) for name in names]})


def model(name: str, created: int) -> bytes:
    """Return one model as JSON."""
    return _encode(_model(name, created))


def error(message: str, *, kind: str, code: str, param: str | None, trace_id: str) -> bytes:
    """Return an error in the dialect's shape as JSON; `trace_id` is ours."""
    about = {"message": message, "type": kind, "param": param, "code": code, "trace_id": trace_id}
    return _encode({"error": about})


def event(json: bytes) -> bytes:
    """Return one SSE event."""
    return b"data: %b\n\n" % json


def _is_plain(delta: Delta) -> bool:
    return (
        delta.finish_reason is None
        and delta.tool_calls is None
        and not delta.reasoning
        and delta.logprobs is None
    )


def _chat_delta(delta: Delta) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if delta.text:
        content["content"] = delta.text
    if delta.reasoning:
        content["reasoning_content"] = delta.reasoning
    if delta.tool_calls:
        content["tool_calls"] = delta.tool_calls
    return content


def _chat_choice(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        # A message that only calls tools has no content, rather than an empty one.
        "content": choice.text if choice.text or not choice.tool_calls else None,
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = choice.tool_calls
    return {
        "index": choice.index,
        "message": message,
        "logprobs": choice.logprobs,
        "finish_reason": choice.finish_reason,
    }


def _answer(
    identity: Identity, prefix: str, kind: str, choices: list[dict[str, Any]], usage: Usage | None
) -> bytes:
    return _encode(
        {
            "id": prefix + identity.id,
            "object": kind,
            "created": identity.created,
            "model": identity.model,
            "choices": choices,
            "usage": _usage(usage),
        }
    )


def _top(identity: Identity, prefix: str, kind: str) -> bytes:
    return b'data: {"id":%b,"object":%b,"created":%d,"model":%b,"choices":' % (
        _encode(prefix + identity.id),
        _encode(kind),
        identity.created,
        _encode(identity.model),
    )


def _usage(usage: Usage | None) -> dict[str, Any]:
    """Return the usage in the dialect's shape: zeros where the upstream did not count."""
    counted = usage or Usage()
    return {
        "prompt_tokens": counted.prompt_tokens,
        "completion_tokens": counted.completion_tokens,
        "total_tokens": counted.prompt_tokens + counted.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": counted.cached_tokens},
    }


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "inhouse"}
