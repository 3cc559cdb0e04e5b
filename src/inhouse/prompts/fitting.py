"""Several texts cut so that they fit together, by how much each is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from inhouse.prompts.budget import head, size, tail
from inhouse.prompts.special import disarm, found

GAP = "\n[...]\n"
"""Stands where the middle of a text was cut out."""


class Keep(StrEnum):
    """Which part of a text stays when it is cut."""

    HEAD = "head"
    TAIL = "tail"
    ENDS = "ends"


class Piece(Struct, frozen=True, kw_only=True):
    """A text that goes into a prompt; where there is too little room, `weight` is its share."""

    text: str
    keep: Keep = Keep.HEAD
    weight: int = 1


class Fitted(Struct, frozen=True, kw_only=True):
    """Texts as they go into a prompt, and the special tokens that stood in them."""

    texts: dict[str, str]
    disarmed: tuple[str, ...]


def fit(pieces: Mapping[str, Piece], room: int, tokens: tuple[str, ...]) -> Fitted:
    """Cut the pieces until they fit in `room` bytes together, and disarm the special `tokens`.

    Disarming makes text longer, so what no longer fits is cut again.
    """
    texts = _cut(pieces, {name: each.text for name, each in pieces.items()}, room)
    special = {name: found(text, tokens) for name, text in texts.items()}
    disarmed = tuple(dict.fromkeys(token for each in special.values() for token in each))
    if disarmed:
        texts = _cut(pieces, {name: disarm(text, tokens) for name, text in texts.items()}, room)
    return Fitted(texts=texts, disarmed=disarmed)


def _cut(pieces: Mapping[str, Piece], texts: Mapping[str, str], room: int) -> dict[str, str]:
    sizes = [size(text) for text in texts.values()]
    limits = shares(sizes, [each.weight for each in pieces.values()], max(0, room))
    return {
        name: kept(text, limit, pieces[name].keep)
        for (name, text), limit in zip(texts.items(), limits, strict=True)
    }


def kept(text: str, room: int, keep: Keep) -> str:
    """Return what stays of `text` in `room` bytes."""
    if size(text, room) <= room:
        return text
    if keep is Keep.TAIL:
        return tail(text, room)
    rest = room - size(GAP)
    if keep is Keep.HEAD or rest <= 0:
        return head(text, room)
    begin = head(text, rest // 2)
    return begin + GAP + tail(text, rest - size(begin))


def shares(sizes: Sequence[int], weights: Sequence[int], room: int) -> list[int]:
    """Return the room of each text: by weight, and what one leaves the others share."""
    limits = [0] * len(sizes)
    left = set(range(len(sizes)))
    while left:
        total = sum(weights[each] for each in left)
        small = [each for each in left if sizes[each] * total <= room * weights[each]]
        for each in small or left:
            limits[each] = sizes[each] if small else room * weights[each] // total
        if not small:
            break
        room -= sum(sizes[each] for each in small)
        left.difference_update(small)
    return limits
