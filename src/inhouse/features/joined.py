"""A whole answer is a joined stream."""

from __future__ import annotations

from typing import Any, cast

from inhouse.core.delta import Answer, Choice, Delta, Deltas, Usage
from inhouse.errors import UpstreamError, UpstreamFailure

LARGEST = 64 * 1024 * 1024
"""Characters of a whole answer at most: one without an end must not fill our memory."""
A_DELTA = 64
"""What a delta counts besides its text."""


class _Joining:
    """One choice while its deltas come in."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.tool_calls: dict[int, dict[str, Any]] = {}
        self.logprobs: dict[str, Any] | None = None
        self.finish_reason: str | None = None

    def add(self, delta: Delta) -> None:
        if delta.text:
            self.text.append(delta.text)
        if delta.reasoning:
            self.reasoning.append(delta.reasoning)
        for fragment in delta.tool_calls or ():
            _merge_call(self.tool_calls, fragment)
        if delta.logprobs is not None:
            self.logprobs = _merge_lists(self.logprobs, delta.logprobs)
        if delta.finish_reason is not None:
            self.finish_reason = delta.finish_reason

    def choice(self, index: int) -> Choice:
        return Choice(
            text="".join(self.text),
            index=index,
            finish_reason=self.finish_reason or "stop",
            reasoning="".join(self.reasoning),
            tool_calls=tuple(call for _, call in sorted(self.tool_calls.items())),
            logprobs=self.logprobs,
        )


async def joined(deltas: Deltas, *, limit: int = LARGEST) -> Answer:
    """Return the answer that a stream adds up to; a stream without a delta is one empty choice.

    Raises:
        UpstreamError: it adds up to more than `limit`.

    """
    joining: dict[int, _Joining] = {}
    usage: Usage | None = None
    size = 0
    async for delta in deltas:
        size += len(delta.text) + len(delta.reasoning) + A_DELTA
        if size > limit:
            raise UpstreamError(
                UpstreamFailure.PROTOCOL,
                f"The upstream's answer is larger than {limit:,} characters, the limit here."
                " Ask for less with 'max_tokens', or for a stream.",
            )
        choice = joining.get(delta.index)
        if choice is None:
            choice = joining[delta.index] = _Joining()
        choice.add(delta)
        if delta.usage is not None:
            usage = delta.usage
    if not joining:
        joining[0] = _Joining()
    choices = tuple(each.choice(index) for index, each in sorted(joining.items()))
    return Answer(choices=choices, usage=usage)


def _merge_call(calls: dict[int, dict[str, Any]], fragment: dict[str, Any]) -> None:
    """Add OpenAI's tool-call fragment: id and name come once, arguments piece by piece."""
    index = fragment.get("index", len(calls))
    call = calls.setdefault(index, {})
    for name, value in fragment.items():
        if name == "function":
            function: dict[str, Any] = call.setdefault("function", {"name": "", "arguments": ""})
            for part, piece in cast("dict[str, Any]", value or {}).items():
                if isinstance(piece, str):
                    function[part] = (function.get(part) or "") + piece
                elif piece is not None:
                    function[part] = piece
        elif name != "index" and value is not None:
            call[name] = value


def _merge_lists(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """Join log-probabilities: each member is a list with an entry a token."""
    if old is None:
        return new
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if isinstance(before, list) and isinstance(value, list):
            merged[name] = cast("list[Any]", before) + cast("list[Any]", value)
        else:
            merged[name] = before or value
    return merged
