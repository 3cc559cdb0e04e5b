"""Special tokens in the caller's code: disarmed before they reach a tokenizer, and restored."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby


def disarm(text: str, tokens: tuple[str, ...]) -> str:
    """Put a blank behind the first character of each special token in `text`.

    ``<|fim_middle|>`` becomes ``< |fim_middle|>``, which people read and no tokenizer takes for the
    token. What already has that form gets one blank more, so that `restore` can undo it exactly.
    Both rely on what a `Family` checks: no token hides the start of another one.
    """
    return _armed(tokens).sub(r"\g<0> ", text) if tokens else text


def restore(text: str, tokens: tuple[str, ...]) -> str:
    """Undo `disarm`, in an answer that repeats disarmed code."""
    return _disarmed(tokens).sub(lambda found: found[0][:-1], text) if tokens else text


def found(text: str, tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `tokens` that `text` holds, disarmed or not."""
    return tuple(
        each
        for head, group in _by_head(tokens)
        if head in text and _armed(group).search(text)
        for each in group
        if _armed((each,)).search(text)
    )


@lru_cache(maxsize=256)
def _by_head(tokens: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Group tokens by their first character: a search for one alone is many times as fast."""
    heads = dict.fromkeys(token[0] for token in tokens)
    return tuple((head, tuple(each for each in tokens if each[0] == head)) for head in heads)


@lru_cache(maxsize=256)
def _armed(tokens: tuple[str, ...]) -> re.Pattern[str]:
    """Match the first character of a token, whatever blanks stand behind it already."""
    return _pattern(tokens, "")


@lru_cache(maxsize=256)
def _disarmed(tokens: tuple[str, ...]) -> re.Pattern[str]:
    """Match the first character of a disarmed token with its first blank."""
    return _pattern(tokens, " ")


def _pattern(tokens: tuple[str, ...], blank: str) -> re.Pattern[str]:
    """Match one of the few first characters, then look at the rest: the scan stays fast."""
    return re.compile(
        "|".join(
            f"{re.escape(head)}{blank}(?= *(?:{'|'.join(re.escape(each[1:]) for each in group)}))"
            for head, group in groupby(sorted(tokens), key=lambda token: token[0])
        )
    )
