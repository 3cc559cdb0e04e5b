"""Where the code around a cursor is the same, as far as two requests show it.

Editors that send the last characters or lines before the cursor slide this window as one types.
"""

from __future__ import annotations

COMMON = 256
"""Characters that have to agree where two windows differ: fewer may be alike by chance."""

ANCHOR = 16
"""Of these, the last ones, by which they are found: code that repeats itself agrees twice."""
MOST_TYPED = 1024
"""Characters that are looked for where a window has slid."""


def typed(earlier: str, text: str, prefix: str, *, slides: bool) -> int | None:
    """Return how many characters of `text`, suggested behind `earlier`, lead to `prefix`.

    None where they do not, or where that is not certain. Where the window `slides`, `prefix` may
    begin later than `earlier`; never sooner: what is suggested was suggested for all of it.
    """
    if prefix.startswith(earlier):
        count = len(prefix) - len(earlier)
        return count if not count or text.startswith(prefix[-count:]) else None
    if not slides or len(earlier) <= COMMON:
        return None
    anchor = earlier[-ANCHOR:]
    found: int | None = None
    at = prefix.find(anchor, max(0, len(prefix) - min(len(text), MOST_TYPED) - ANCHOR))
    while at >= 0:
        end = at + ANCHOR
        if end < len(earlier) and _leads(earlier, text, prefix, end):
            if found is not None:
                return None
            found = end
        at = prefix.find(anchor, at + 1)
    return None if found is None or found < COMMON else len(prefix) - found


def _leads(earlier: str, text: str, prefix: str, end: int) -> bool:
    """Tell whether `prefix` is the end of `earlier`, of so many characters, and typed text."""
    return text.startswith(prefix[end:]) and earlier.endswith(prefix[:end])


def agree(one: str, other: str) -> bool:
    """Tell whether two pieces of the code behind a cursor agree, as far as both reach."""
    if one == other:
        return True
    shorter = min(len(one), len(other))
    return shorter >= COMMON and one[:shorter] == other[:shorter]
