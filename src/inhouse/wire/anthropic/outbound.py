"""What we ask an upstream that speaks the Messages API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from inhouse.core.requests import Message, Params
from inhouse.wire.anthropic.conversation import system_text, turns
from inhouse.wire.anthropic.tools import extra_fields

DEFAULT_TOKENS = 8192
"""The API wants a limit; this one holds where the caller names none."""
HOTTEST = 1.0
"""Anthropic's temperatures end where OpenAI's have their middle."""


class Habits(Struct, frozen=True, kw_only=True):
    """What an upstream wants otherwise than most; learned from its refusals.

    `both` claims that it takes temperature and ``top_p`` together. `most_tokens` is the longest
    answer that its model gives, `usual_tokens` the limit where the caller names none.
    """

    temperature: bool = True
    top_p: bool = True
    both: bool = True
    effort: bool = True
    most_tokens: int | None = None
    usual_tokens: int = DEFAULT_TOKENS


DEFAULT_HABITS = Habits()

_encode = msgspec.json.Encoder().encode


def message_body(
    model: str, messages: Sequence[Message], params: Params, habits: Habits = DEFAULT_HABITS
) -> bytes:
    """Return the JSON for ``/v1/messages``, asking for a stream; raises `UnsayableError`."""
    fields = extra_fields(params.extra)
    fields |= {"model": model, "messages": turns(messages), "stream": True}
    fields["max_tokens"] = _max_tokens(params, fields, habits)
    if system := system_text(messages):
        fields["system"] = system
    if stops := [each for each in params.stop if each.strip()]:
        fields["stop_sequences"] = stops
    if not habits.effort and "output_config" in fields:
        fields["output_config"].pop("effort", None)
    if "thinking" not in fields:
        # A model that thinks takes neither.
        fields |= _sampling(params, habits)
    return _encode(fields)


def count_body(model: str, text: str) -> bytes:
    """Return the JSON for ``/v1/messages/count_tokens``; `text` is not blank."""
    return _encode({"model": model, "messages": [{"role": "user", "content": text}]})


def watched_stops(params: Params) -> tuple[str, ...]:
    """Return the stop sequences that the API refuses, since they are blank."""
    return tuple(each for each in params.stop if each and not each.strip())


def _max_tokens(params: Params, fields: dict[str, Any], habits: Habits) -> int:
    wanted = params.max_tokens
    if wanted is None:
        wanted = habits.usual_tokens + _thoughts(fields.get("thinking"))
    return wanted if habits.most_tokens is None else min(wanted, habits.most_tokens)


def _thoughts(thinking: Any) -> int:
    """Return the tokens that the caller lets the model think: they count as said."""
    if not isinstance(thinking, dict):
        return 0
    budget = cast("dict[str, Any]", thinking).get("budget_tokens")
    return budget if isinstance(budget, int) else 0


def _sampling(params: Params, habits: Habits) -> dict[str, float]:
    found: dict[str, float] = {}
    if params.temperature is not None and habits.temperature:
        found["temperature"] = min(params.temperature, HOTTEST)
    if params.top_p is not None and habits.top_p and (habits.both or not found):
        found["top_p"] = params.top_p
    return found
