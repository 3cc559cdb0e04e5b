"""What comes back: deltas, and the answer that they add up to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct
from msgspec.structs import replace


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens as the upstream counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class Delta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A streamed piece of output for the choice `index`.

    `finish_reason` is OpenAI's (``stop``, ``length``, ``tool_calls``, ``content_filter``) and comes
    once a choice. `usage` comes at most once a stream, on its last delta. `tool_calls` are OpenAI's
    fragments, handed on as they came. `pieces` are those of the upstream that it joins.
    """

    text: str = ""
    index: int = 0
    finish_reason: str | None = None
    usage: Usage | None = None
    reasoning: str = ""
    tool_calls: list[dict[str, Any]] | None = None
    logprobs: dict[str, Any] | None = None
    pieces: int = 1


def merged(deltas: Sequence[Delta]) -> list[Delta]:
    """Return deltas that came together with their texts joined, as far as they are text alone."""
    found: list[Delta] = []
    texts: list[str] = []
    pieces = 0
    for delta, following in pairwise((*deltas, None)):
        if delta is None:
            break
        texts.append(delta.text)
        pieces += delta.pieces
        if following is None or not _joins(delta, following):
            found.append(replace(delta, text="".join(texts), pieces=pieces))
            texts.clear()
            pieces = 0
    return found


def _joins(delta: Delta, following: Delta) -> bool:
    """Tell whether a delta's text may stand before that of the following one."""
    return (
        delta.index == following.index
        and delta.finish_reason is None
        and delta.usage is None
        and not (delta.reasoning or delta.tool_calls or delta.logprobs)
        and not (following.reasoning or following.tool_calls or following.logprobs)
    )


class Choice(Struct, frozen=True, kw_only=True):
    """One whole suggestion or answer."""

    text: str = ""
    index: int = 0
    finish_reason: str = "stop"
    reasoning: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    logprobs: dict[str, Any] | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """A joined stream."""

    choices: tuple[Choice, ...]
    usage: Usage | None = None


class Embedded(Struct, frozen=True, kw_only=True):
    """Vectors in the order of the texts that they stand for."""

    vectors: list[list[float]]
    usage: Usage | None = None


class Served(Struct, frozen=True, kw_only=True):
    """A model as its upstream lists it; `window` in tokens where it tells.

    `owner` is OpenAI's ``owned_by``, where engines name themselves.
    """

    name: str
    window: int | None = None
    owner: str = ""


class Generated(Struct, frozen=True, kw_only=True):
    """What an upstream counts of itself: tokens generated since its start, and requests that run.

    llama.cpp counts steps instead, of which each makes a token for every request that runs.
    """

    tokens: float
    running: float


Deltas = AsyncGenerator[Delta]
