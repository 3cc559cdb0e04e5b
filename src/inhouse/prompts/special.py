"""Special tokens in the caller's code: disarmed before they reach a tokenizer, and restored."""

from __future__ import annotations

import re
from functools import lru_cache


def disarm(text: str, tokens: tuple[str, ...]) -> str:
    """Put a blank behind the first character of each special token in `text`.

    ``<|fim_middle|>`` becomes ``< |fim_middle|>``, which people read and no tokenizer takes for the
    token. What already has that form gets one blank more, so that `restore` can undo it exactly.
    """
    return _armed(tokens).sub(r"\g<0> ", text) if tokens else text


def restore(text: str, tokens: tuple[str, ...]) -> str:
    """Undo `disarm`, in an answer that repeats disarmed code."""
    return _disarmed(tokens).sub(lambda match: match[0][0], text) if tokens else text


def found(text: str, tokens: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `tokens` that `text` holds, disarmed or not."""
    return tuple(each for each in tokens if _armed((each,)).search(text))


@lru_cache(maxsize=256)
def _armed(tokens: tuple[str, ...]) -> re.Pattern[str]:
    """Match the first character of a token, whatever blanks stand behind it already."""
    return re.compile("|".join(f"{re.escape(t[0])}(?= *{re.escape(t[1:])})" for t in tokens))


@lru_cache(maxsize=256)
def _disarmed(tokens: tuple[str, ...]) -> re.Pattern[str]:
    """Match the first character of a disarmed token with its first blank."""
    return re.compile("|".join(f"{re.escape(t[0])} (?= *{re.escape(t[1:])})" for t in tokens))
