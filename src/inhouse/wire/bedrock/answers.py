"""The deltas in what Converse answers, streamed or whole.

A stream's events are ``messageStart``, for each block ``contentBlockStart`` (of tools only),
``contentBlockDelta`` and ``contentBlockStop``, then ``messageStop`` and, behind it, ``metadata``.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from inhouse.core.delta import Delta, Usage

MOST_TOKENS = 2**53
"""No count of tokens is larger; what an upstream claims is cut to it."""
_FINISHES = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}


class _Reasoning(Struct):
    text: str = ""


class _ReasoningBlock(Struct, rename="camel"):
    reasoning_text: _Reasoning = field(default_factory=_Reasoning)


class _ToolInput(Struct):
    input: str = ""


class _BlockDelta(Struct, rename="camel"):
    text: str = ""
    tool_use: _ToolInput | None = None
    reasoning_content: _Reasoning | None = None


class _ToolStart(Struct, rename="camel"):
    tool_use_id: str
    name: str


class _Start(Struct, rename="camel"):
    tool_use: _ToolStart | None = None


class _Usage(Struct, rename="camel"):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


class _Event(Struct, rename="camel"):
    content_block_index: int = 0
    start: _Start | None = None
    delta: _BlockDelta | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _ToolUse(Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: Any = None


class _Block(Struct, rename="camel"):
    text: str = ""
    tool_use: _ToolUse | None = None
    reasoning_content: _ReasoningBlock | None = None


class _Message(Struct):
    content: list[_Block] = field(default_factory=list[_Block])


class _Output(Struct):
    message: _Message


class _Whole(Struct, rename="camel"):
    output: _Output
    stop_reason: str
    usage: _Usage | None = None


_decode = msgspec.json.Decoder(_Event).decode
_decode_whole = msgspec.json.Decoder(_Whole).decode


class ConverseReading:
    """Reads the events of one answer into deltas."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.done = False
        """Whether nothing more will come."""
        self.finished = False
        """Whether the model has said why it stopped."""
        self._usage: _Usage | None = None
        self._tools: dict[int, int] = {}

    def event(self, kind: str, payload: bytes) -> list[Delta]:
        """Return the deltas of an event; unknown kinds have none. Raises `UNREADABLE`."""
        if kind == "contentBlockDelta":
            event = _decode(payload)
            return [] if event.delta is None else self._delta(event.delta, event)
        if kind == "contentBlockStart":
            return self._start(_decode(payload))
        if kind == "messageStop":
            self.finished = True
            return [Delta(finish_reason=finish_reason(_decode(payload).stop_reason))]
        if kind == "metadata":
            self._usage, self.done = _decode(payload).usage, self.finished
        return []

    def finish(self) -> Delta | None:
        """Return the usage as a last delta, None where none was told."""
        return None if self._usage is None else Delta(usage=_counted(self._usage))

    def _start(self, event: _Event) -> list[Delta]:
        tool = None if event.start is None else event.start.tool_use
        if tool is None:
            return []
        index = self._tools.setdefault(event.content_block_index, len(self._tools))
        return [Delta(tool_calls=[_call(index, tool.tool_use_id, tool.name, "")])]

    def _delta(self, delta: _BlockDelta, event: _Event) -> list[Delta]:
        if delta.text:
            return [Delta(text=delta.text)]
        if delta.reasoning_content is not None and delta.reasoning_content.text:
            return [Delta(reasoning=delta.reasoning_content.text)]
        index = self._tools.get(event.content_block_index)
        if delta.tool_use is None or index is None or not delta.tool_use.input:
            return []
        fragment = {"index": index, "function": {"arguments": delta.tool_use.input}}
        return [Delta(tool_calls=[fragment])]


def whole(body: bytes) -> list[Delta]:
    """Return the deltas of a whole answer; raises `UNREADABLE`."""
    answer = _decode_whole(body)
    deltas: list[Delta] = []
    calls = 0
    for block in answer.output.message.content:
        if block.text:
            deltas.append(Delta(text=block.text))
        if block.reasoning_content is not None and block.reasoning_content.reasoning_text.text:
            deltas.append(Delta(reasoning=block.reasoning_content.reasoning_text.text))
        if (tool := block.tool_use) is not None:
            arguments = msgspec.json.encode(tool.input or {}).decode()
            deltas.append(Delta(tool_calls=[_call(calls, tool.tool_use_id, tool.name, arguments)]))
            calls += 1
    deltas.append(Delta(finish_reason=finish_reason(answer.stop_reason)))
    if answer.usage is not None:
        deltas.append(Delta(usage=_counted(answer.usage)))
    return deltas


def finish_reason(stop_reason: str | None) -> str:
    """Return OpenAI's word for why a model stopped."""
    return _FINISHES.get(stop_reason or "", "stop")


def tokens(count: int | None) -> int:
    """Return a count of tokens within reason."""
    return min(max(0, count or 0), MOST_TOKENS)


def _counted(usage: _Usage) -> Usage:
    # Bedrock counts what came from its prompt cache, or went into it, beside the input.
    read, written = tokens(usage.cache_read_input_tokens), tokens(usage.cache_write_input_tokens)
    return Usage(
        prompt_tokens=tokens(tokens(usage.input_tokens) + read + written),
        completion_tokens=tokens(usage.output_tokens),
        cached_tokens=read,
    )


def _call(index: int, call_id: str, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call_id, "type": "function", "function": function}
