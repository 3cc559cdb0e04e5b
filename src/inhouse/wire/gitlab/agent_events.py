"""The events of a step that GitLab's chat reads: JSON objects, one a line.

GitLab looks for lines, so nothing that any program takes for a line's end stands inside of one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from inhouse.core.agent import Action, AgentEvent, AnswerDelta, Failed, Unformatted
from inhouse.core.delta import Usage

NDJSON = b"application/x-ndjson; charset=utf-8"

_LINE_ENDS = {"\x85": b"\\u0085", "\u2028": b"\\u2028", "\u2029": b"\\u2029"}
"""Besides those below U+0020, which JSON escapes anyway."""

_encode = msgspec.json.Encoder().encode


def encode(event: AgentEvent) -> bytes:
    """Return an event's line."""
    match event:
        case Action():
            data = {"tool": event.tool, "tool_input": event.tool_input, "thought": event.thought}
            return _line("action", data)
        case AnswerDelta():
            data = {"text": event.text, "finish_reason": event.finish_reason}
            return _line("final_answer_delta", data)
        case Unformatted():
            return _line("unknown", {"text": event.text})
        case Failed():
            return _line("error", {"message": event.message, "retryable": event.retryable})


def encode_usage(model: str, usage: Usage) -> bytes:
    """Return the line that tells what an answer took."""
    counts = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return _line("usage", {"usage": {model: counts}})


def _line(kind: str, data: dict[str, Any]) -> bytes:
    line = _encode({"type": kind, "data": data})
    if not line.isascii():
        for character, escape in _LINE_ENDS.items():
            line = line.replace(character.encode(), escape)
    return line + b"\n"
