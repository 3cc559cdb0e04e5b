"""How much of the code around the cursor fits, and cutting it at line ends.

What is typed next must leave the head of a prompt as it was, or an upstream's prefix cache is worth
nothing. So the code before the cursor is cut in steps, and typing moves the cut once in a while.
"""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta, Struct

CONTINUED, CONTINUATION = 0b1100_0000, 0b1000_0000  # the marks of a character's further bytes

STEPS = 4
"""Into so many is the room for a prefix divided; one of them may be given away."""

Tokens = Annotated[int, Meta(ge=0)]


class Budget(Struct, frozen=True, kw_only=True):
    """What a prompt may take, in tokens.

    A token is taken for `characters_per_token` bytes of UTF-8: a character outside ASCII counts as
    two to four, because tokenizers split what they have rarely seen down to bytes.
    """

    window: Annotated[int, Meta(ge=1)]
    prefix_tokens: Tokens
    suffix_tokens: Tokens
    output_tokens: Annotated[int, Meta(ge=1)]
    context_tokens: Tokens = 0
    characters_per_token: float = 3.2

    def reserve(self, wanted: int | None) -> int:
        """Return the tokens kept free for the answer: the wish, but at most half the window."""
        return min(self._answer(wanted), max(1, self.window // 2))

    def room(self, wanted: int | None) -> int:
        """Return the bytes that a prompt may take beside the answer's reserve."""
        return self.bytes(self.window - self.reserve(wanted))

    def bytes(self, tokens: int) -> int:
        """Return the bytes that `tokens` are taken for."""
        return int(tokens * self.characters_per_token)

    def tokens(self, size: int) -> int:
        """Return the tokens that `size` bytes are taken for."""
        return math.ceil(size / self.characters_per_token)

    def output(self, wanted: int | None, prompt_tokens: int) -> int:
        """Return how long the answer to a prompt may get: the wish, or what the window leaves."""
        return max(1, min(self._answer(wanted), self.window - prompt_tokens))

    def _answer(self, wanted: int | None) -> int:
        return self.output_tokens if wanted is None else max(1, wanted)


def cut(prefix: str, suffix: str, room: int, limits: tuple[int, int]) -> tuple[str, str]:
    """Cut prefix and suffix until both fit in `room` bytes and each within its own limit.

    Where they compete, each side has the share of its limit, and what one leaves the other takes.
    The steps of a prefix depend on `room` and `limits` alone, so that they stay while it grows, and
    so does the suffix.
    """
    room = max(0, room)
    share = room * limits[1] // max(1, sum(limits))
    step = max(1, min(limits[0], room - share) // STEPS)
    before = min(size(prefix, limits[0]), limits[0])
    after = min(size(suffix, limits[1]), limits[1])
    if before + after > room:
        rounded = before + -before % step
        after = max(min(after, share), room - rounded)
        before = room - after
    return tail(prefix, before, step), head(suffix, after)


def size(text: str, limit: int | None = None) -> int:
    """Return the bytes of `text` in UTF-8; counting may stop beyond `limit`."""
    if text.isascii():
        return len(text)
    if limit is not None and len(text) > limit:
        return limit + 1
    return len(text.encode(errors="surrogatepass"))


def tail(text: str, room: int, step: int = 1) -> str:
    """Return the whole last lines of `text` that fit in `room` bytes.

    A line that is too long by itself is cut inside, where nothing but blanks follows it. What is
    cut off grows by `step` bytes at a time, to the end of a line.
    """
    if size(text, room) <= room:
        return text
    if text.isascii():
        start = len(text) - room
        start += -start % step
        kept = text[start:]
        begins_line = text[start - 1 : start] == "\n"
    else:
        whole = text.encode(errors="surrogatepass")
        start = len(whole) - room
        start += -start % step
        while start < len(whole) and whole[start] & CONTINUED == CONTINUATION:
            start += 1
        kept = whole[start:].decode(errors="surrogatepass")
        begins_line = whole[start - 1 : start] == b"\n"
    if begins_line:
        return kept
    lines = kept[kept.find("\n") + 1 :] if "\n" in kept else ""
    return lines if lines.strip() else kept


def head(text: str, room: int) -> str:
    """Return the whole first lines of `text` that fit in `room` bytes, each with its line end.

    A line that is too long by itself is cut inside, where nothing but blanks stands before it.
    """
    if size(text, room) <= room:
        return text
    kept = text[:room]
    if size(kept) > room:
        whole, at = kept.encode(errors="surrogatepass"), room
        while whole[at] & CONTINUED == CONTINUATION:
            at -= 1
        kept = whole[:at].decode(errors="surrogatepass")
    lines = kept[: kept.rfind("\n") + 1]
    return lines if lines.strip() else kept
