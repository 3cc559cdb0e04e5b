"""The deltas in the events of an answer.

Reading is lenient: events and fields that are not known may come, and known ones may be missing. A
whole answer is read like a stream of one event.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from inhouse.core.delta import Delta, Usage

MOST_TOKENS = 2**53
"""No count of tokens is larger; what an upstream claims is cut to it."""
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class ReportedError(Exception):
    """An event holds an error instead of an answer; `body` is the JSON as it came."""

    def __init__(self, body: bytes) -> None:
        """Keep the event."""
        super().__init__("The upstream reports an error.")
        self.body = body


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Block(Struct):
    """A block, whole or at its start, or a piece of one."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    stop_reason: str | None = None


class _Message(Struct):
    content: list[_Block] | None = None
    usage: _Usage | None = None
    stop_reason: str | None = None


class _Event(Struct):
    type: str = ""
    index: int | None = None
    delta: _Block | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_encode = msgspec.json.Encoder().encode


class Reading:
    """Reads the events of one answer into deltas."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.done = False
        """Whether the upstream has said ``message_stop``, or all in one piece."""
        self._reason = ""
        self._calls: dict[int, int] = {}
        self._called: set[int] = set()
        self._usage = _Usage()
        self._counted = False

    @property
    def finished(self) -> bool:
        """Whether nothing is missing: the end was told, or why it ended."""
        return self.done or bool(self._reason)

    def event(self, data: bytes) -> list[Delta]:
        """Return the deltas of an event.

        Raises:
            ReportedError: the event is an error.
            `UNREADABLE`: it is no JSON, or not of the dialect.

        """
        event = _decode(data)
        match event.type:
            case "content_block_delta":
                return self._piece(event.index or 0, event.delta or _Block())
            case "content_block_start":
                return self._start(event.index or 0, event.content_block or _Block())
            case "content_block_stop":
                return self._stop(event.index or 0)
            case "message_start":
                self._count(event.message.usage if event.message is not None else None)
            case "message_delta":
                self._count(event.usage)
                return self._ended(event.delta.stop_reason if event.delta is not None else None)
            case "message_stop":
                self.done = True
            case "message":
                return self._whole(_decode_message(data))
            case _:
                if event.error is not None:
                    raise ReportedError(data)
                if not event.type:
                    raise msgspec.ValidationError("An event has no type.")
        return []

    def finish(self) -> Delta | None:
        """Return the usage that the stream has told; what was cached counts as asked."""
        if not self._counted:
            return None
        usage = self._usage
        read = _tokens(usage.cache_read_input_tokens)
        written = _tokens(usage.cache_creation_input_tokens)
        return Delta(
            usage=Usage(
                prompt_tokens=_tokens(usage.input_tokens) + read + written,
                completion_tokens=_tokens(usage.output_tokens),
                cached_tokens=read,
            )
        )

    def _piece(self, at: int, piece: _Block) -> list[Delta]:
        if piece.text:
            return [Delta(text=piece.text)]
        if piece.thinking:
            return [Delta(reasoning=piece.thinking)]
        if piece.partial_json and at in self._calls:
            self._called.add(at)
            return [self._arguments(at, piece.partial_json)]
        return []

    def _start(self, at: int, block: _Block) -> list[Delta]:
        if block.type != "tool_use":
            return self._piece(at, block)
        index = self._calls[at] = len(self._calls)
        function = {"name": block.name or "", "arguments": ""}
        call = {"index": index, "id": block.id or "", "type": "function", "function": function}
        deltas = [Delta(tool_calls=[call])]
        if block.input:
            self._called.add(at)
            deltas.append(self._arguments(at, _encode(block.input).decode()))
        return deltas

    def _stop(self, at: int) -> list[Delta]:
        if at not in self._calls or at in self._called:
            return []
        # A tool that takes nothing is called without a word, which would be no JSON.
        self._called.add(at)
        return [self._arguments(at, "{}")]

    def _arguments(self, at: int, piece: str) -> Delta:
        return Delta(tool_calls=[{"index": self._calls[at], "function": {"arguments": piece}}])

    def _ended(self, reason: str | None) -> list[Delta]:
        if not reason or self._reason:
            return []
        self._reason = reason
        return [Delta(finish_reason=_REASONS.get(reason, "stop"))]

    def _whole(self, message: _Message) -> list[Delta]:
        self._count(message.usage)
        deltas: list[Delta] = []
        for at, block in enumerate(message.content or ()):
            deltas += [*self._start(at, block), *self._stop(at)]
        self.done = True
        return deltas + self._ended(message.stop_reason or "end_turn")

    def _count(self, usage: _Usage | None) -> None:
        """Take over what is told; the counts of a stream grow, and its last word is right."""
        if usage is None:
            return
        self._counted = True
        known = self._usage
        for name in usage.__struct_fields__:
            if (told := getattr(usage, name)) is not None:
                setattr(known, name, told)


def _tokens(told: int | None) -> int:
    return min(max(0, told or 0), MOST_TOKENS)
