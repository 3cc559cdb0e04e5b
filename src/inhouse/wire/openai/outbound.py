"""What we ask an OpenAI-compatible upstream, and the deltas in what it answers.

Reading is lenient: fields that are not read may be missing, extra or null. A whole answer is read
like a stream of one event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from inhouse.core.delta import Delta, Usage
from inhouse.core.requests import Message, Params

DONE = b"[DONE]"
MOST_TOKENS = 2**53
"""No count of tokens is larger; what an upstream claims is cut to it."""
_ALL = -1
"""The usage of all choices together."""


class Habits(Struct, frozen=True, kw_only=True):
    """What an upstream wants otherwise than most; learned from its refusals.

    Fields of the names in `left_out` are not sent. `max_completion_tokens` claims that this is what
    it calls ``max_tokens``.
    """

    left_out: frozenset[str] = frozenset()
    max_completion_tokens: bool = False


DEFAULT_HABITS = Habits()


class ReportedError(Exception):
    """An event holds an error instead of an answer; `body` is the JSON as it came."""

    def __init__(self, body: bytes) -> None:
        """Keep the event."""
        super().__init__("The upstream reports an error.")
        self.body = body


def completion_body(
    model: str, text: str, params: Params, habits: Habits = DEFAULT_HABITS
) -> bytes:
    """Return the JSON for ``/v1/completions``, asking for a stream unless the params say whole.

    vLLM and SGLang hide special tokens unless told otherwise, and then a stop sequence that is one
    (``<|file_sep|>``) never matches; others do not know the field.
    """
    fields = _fields(params, habits) | {"model": model, "prompt": text}
    fields.setdefault("skip_special_tokens", False)
    return _encoded(fields, habits)


def chat_body(
    model: str, messages: Sequence[Message], params: Params, habits: Habits = DEFAULT_HABITS
) -> bytes:
    """Return the JSON for ``/v1/chat/completions``; see `completion_body`."""
    return _encoded(_fields(params, habits) | {"model": model, "messages": messages}, habits)


def _fields(params: Params, habits: Habits) -> dict[str, Any]:
    fields = dict(params.extra)
    if params.max_tokens is not None:
        limit = "max_completion_tokens" if habits.max_completion_tokens else "max_tokens"
        fields[limit] = params.max_tokens
    if params.temperature is not None:
        fields["temperature"] = params.temperature
    if params.top_p is not None:
        fields["top_p"] = params.top_p
    if params.stop:
        fields["stop"] = params.stop
    if params.seed is not None:
        fields["seed"] = params.seed
    if params.n != 1:
        fields["n"] = params.n
    fields.pop("stream_options", None)
    if params.whole:
        fields.pop("stream", None)
        return fields
    fields["stream"] = True
    fields["stream_options"] = {"include_usage": True}
    return fields


def _encoded(fields: dict[str, Any], habits: Habits) -> bytes:
    for name in habits.left_out:
        fields.pop(name, None)
    return _encode(fields)


class _Details(Struct):
    cached_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Message(Struct):
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    reasoning_content: Any = None
    reasoning: Any = None


class _Choice(Struct):
    index: int | None = None
    text: str | None = None
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Chunk).decode


class Reading:
    """Reads the events of one answer into deltas."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.done = False
        """Whether the upstream has said ``[DONE]``."""
        self._usages: dict[int, _Usage] = {}
        self._ended: dict[int, bool] = {}

    @property
    def finished(self) -> bool:
        """Whether nothing is missing: ``[DONE]``, or a finish reason for each choice begun."""
        return self.done or (bool(self._ended) and all(self._ended.values()))

    def event(self, data: bytes) -> list[Delta]:
        """Return the deltas of an event; empty ones are left out.

        Raises:
            ReportedError: the event is an error.
            `UNREADABLE`: it is no JSON, or not of the dialect.

        """
        if data == DONE:
            self.done = True
            return []
        chunk = _decode(data)
        if chunk.error is not None or chunk.choices is None:
            if chunk.error is None and chunk.usage is None and not _is_error(data):
                return []
            if chunk.usage is None or chunk.error is not None:
                raise ReportedError(data)
        choices = chunk.choices or ()
        if chunk.usage is not None:
            self._usages[(choices[0].index or 0) if len(choices) == 1 else _ALL] = chunk.usage
        if len(choices) == 1:
            delta = self._delta(choices[0])
            return [] if delta is None else [delta]
        return [delta for choice in choices if (delta := self._delta(choice)) is not None]

    def finish(self) -> Delta | None:
        """Return the usage as a last delta, None where the upstream told none."""
        if not self._usages:
            return None
        # llama.cpp counts each choice by itself; whatever is repeated in each chunk grows.
        whole = self._usages.get(_ALL)
        parts = [whole] if whole is not None else list(self._usages.values())
        return Delta(
            usage=Usage(
                prompt_tokens=_counted(max([part.prompt_tokens or 0 for part in parts])),
                completion_tokens=_counted(sum([part.completion_tokens or 0 for part in parts])),
                cached_tokens=_counted(max([_cached(part) for part in parts])),
            )
        )

    def _delta(self, choice: _Choice) -> Delta | None:
        index = choice.index or 0
        if choice.finish_reason:
            self._ended[index] = True
        elif index not in self._ended:
            # Azure's asynchronous filter annotates a choice behind its end.
            self._ended[index] = False
        message = choice.delta or choice.message
        if message is None:
            text, reasoning, tool_calls = choice.text or "", "", None
        else:
            text, reasoning = _spoken(message)
            tool_calls = _fragments(message.tool_calls) if message.tool_calls else None
        if not (text or choice.finish_reason or reasoning or tool_calls or choice.logprobs):
            return None
        return Delta(
            text=text,
            index=index,
            finish_reason=choice.finish_reason or None,
            reasoning=reasoning,
            tool_calls=tool_calls,
            logprobs=choice.logprobs,
        )


def _counted(tokens: int) -> int:
    return tokens if 0 <= tokens <= MOST_TOKENS else min(max(0, tokens), MOST_TOKENS)


def _cached(usage: _Usage) -> int:
    details = usage.prompt_tokens_details
    return (details.cached_tokens or 0) if details is not None else 0


def _spoken(message: _Message) -> tuple[str, str]:
    """Return text and reasoning; some upstreams send the content in typed parts."""
    content = message.content
    said = message.reasoning_content or message.reasoning
    reasoning = said if isinstance(said, str) else ""
    if not isinstance(content, list):
        return content or "", reasoning
    text = "".join(part["text"] for part in content if isinstance(part.get("text"), str))
    return text, reasoning


def _fragments(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Number the calls where a whole answer leaves that to their order."""
    for call in calls:
        _check_fragment(call)
    return [call if "index" in call else {"index": at, **call} for at, call in enumerate(calls)]


def _check_fragment(call: dict[str, Any]) -> None:
    """Raise `msgspec.ValidationError` where a call cannot be joined with its other fragments."""
    function: Any = call.get("function") or {}
    if not isinstance(call.get("index", 0), int) or not isinstance(function, dict):
        raise msgspec.ValidationError("A tool call is not of the dialect.")
    said = cast("dict[str, Any]", function)
    if not all(isinstance(said.get(name) or "", str) for name in ("name", "arguments")):
        raise msgspec.ValidationError("A tool call is not of the dialect.")


def _is_error(data: bytes) -> bool:
    """Tell whether an object without choices is an error of one of the older shapes."""
    found: Any = msgspec.json.decode(data)
    return "detail" in found or found.get("object") == "error"
