"""Are a family's FIM sentinels special tokens of the model that is really served?"""

from __future__ import annotations

from typing import Protocol

from inhouse.core.catalog import Deployment
from inhouse.families import Families, Family


class Counter(Protocol):
    """Whoever counts tokens as the served model does: a provider is one."""

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        """Return the tokens of a text, None where that cannot be told."""
        ...


async def unknown_sentinels(
    counter: Counter, deployment: Deployment, family: Family
) -> list[str] | None:
    """Return the sentinels that the served tokenizer takes for plain text.

    None where the upstream does not count tokens. Raises `UpstreamError`.
    """
    unknown: list[str] = []
    for sentinel in () if family.fim is None else family.fim.tokens:
        special = await _is_special(counter, deployment, sentinel)
        if special is None:
            return None
        if not special:
            unknown.append(sentinel)
    return unknown


async def fitting(counter: Counter, deployment: Deployment, families: Families) -> list[str]:
    """Return the families all of whose sentinels are special tokens of the served model."""
    return [
        family.name
        for family in families
        if family.fim is not None and await unknown_sentinels(counter, deployment, family) == []
    ]


async def _is_special(counter: Counter, deployment: Deployment, sentinel: str) -> bool | None:
    """Tell whether one more sentinel is one more token; None where that cannot be counted.

    The difference leaves out what a tokenizer puts before any text. In SentencePiece some sentinels
    are special only behind a blank.
    """
    for blank in ("", " "):
        one = await counter.count_tokens(deployment, blank + sentinel)
        two = await counter.count_tokens(deployment, (blank + sentinel) * 2)
        if one is None or two is None:
            return None
        if two - one == 1:
            return True
    return False
