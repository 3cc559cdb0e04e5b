"""A whole answer is a joined stream."""

from __future__ import annotations

from typing import Any

from inhouse.core.delta import Answer, Choice, Delta, Deltas, Usage


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


async def joined(deltas: Deltas) -> Answer:
    """Return the answer that a stream adds up to; a stream without a delta is one empty choice."""
    joining: dict[int, _Joining] = {}
    usage: Usage | None = None
    async for delta in deltas:
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
            for part, piece in value.items():
                function[part] = (function.get(part) or "") + (piece or "")
        elif name != "index" and value is not None:
            call[name] = value


def _merge_lists(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """Join log-probabilities: each member is a list with an entry a token."""
    if old is None:
        return new
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        merged[name] = [*before, *value] if isinstance(before, list) and value else before or value
    return merged
