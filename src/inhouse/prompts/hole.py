"""The code around the cursor, made ready for a prompt: cut, disarmed, within the budget."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from msgspec import Struct

from inhouse.core.requests import CompletionRequest, GenerationRequest
from inhouse.families import Family
from inhouse.prompts.budget import Budget, cut
from inhouse.prompts.special import disarm, found


class Hole(Struct, frozen=True, kw_only=True):
    """Prefix and suffix as they go into the prompt, and the special tokens that stood in them."""

    prefix: str
    suffix: str
    disarmed: tuple[str, ...]


def hole(
    prefix: str, suffix: str, family: Family, budget: Budget, wanted: int | None, overhead: int
) -> Hole:
    """Cut and disarm the code around the cursor.

    `wanted` is the caller's limit for the answer in tokens, `overhead` what else the prompt holds,
    in bytes. Disarming makes text longer, so what no longer fits is cut again.
    """
    room = budget.room(wanted) - overhead
    limits = budget.bytes(budget.prefix_tokens), budget.bytes(budget.suffix_tokens)
    before, after = cut(prefix, suffix, room, limits)
    disarmed = found(before, family.tokens) + found(after, family.tokens)
    if disarmed:
        before, after = disarm(before, family.tokens), disarm(after, family.tokens)
        before, after = cut(before, after, room, limits)
    return Hole(prefix=before, suffix=after, disarmed=tuple(dict.fromkeys(disarmed)))


def marker(request: CompletionRequest | GenerationRequest) -> str:
    """Return a word for the cursor that stands nowhere in the request."""
    texts = [request.prefix, request.suffix, request.path, request.language]
    texts += [text for each in request.context for text in (each.name, each.content)]
    if isinstance(request, GenerationRequest):
        texts.append(request.instruction)
    return next(word for word in _markers() if not any(word in text for text in texts))


def _markers() -> Iterator[str]:
    yield "{CURSOR}"
    for number in count(2):
        yield f"{{CURSOR-{number}}}"
