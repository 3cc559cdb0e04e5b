"""Where a suggestion closes what an editor has closed already.

Whoever types an opening bracket or quote gets its counterpart from the editor, behind the cursor.
A suggestion that goes on there has to end before that counterpart.
"""

from __future__ import annotations

import re

COUNTERPARTS = {"(": ")", "[": "]", "{": "}"}
BRACKETS = frozenset(COUNTERPARTS.values())
QUOTES = frozenset("\"'`")
CLOSERS = BRACKETS | QUOTES

_MARK = re.compile(r"(?<!\\)(\\*)([\"'`\n])")
"""A quote or a line's end, and the backslashes before it."""


def closed(text: str, at: int, closers: str) -> int | None:
    """Return where `text` closes, with `closers` and in one piece, what is open at character `at`.

    None where it does not, or something else is open there.
    """
    expected: list[str] = []
    depth = position = 0
    strings = _strings(text)
    while position < len(text):
        character = text[position]
        if position == at:
            depth = len(expected)
            if not _closes(closers, expected):
                return None
        end = strings.get(position, position)
        if position < at <= end:
            fits = _closes(closers, [*expected, character]) and text.startswith(closers, end)
            return end if fits else None
        position = end
        if character in COUNTERPARTS:
            expected.append(COUNTERPARTS[character])
        elif character in BRACKETS:
            if position >= at and len(expected) == depth:
                return position if text.startswith(closers, position) else None
            if expected and expected[-1] == character:
                expected.pop()
        position += 1
    return None


def _closes(closers: str, expected: list[str]) -> bool:
    """Tell whether the innermost of what is expected is closed, in its order."""
    return bool(closers) and "".join(reversed(expected)).startswith(closers)


def _strings(text: str) -> dict[int, int]:
    """Return where the string ends that begins at each quote: there, where its line does not say.

    In one pass, whatever the text: a model that repeats itself may write a thousand quotes.
    """
    found: dict[int, int] = {}
    ends: dict[str, int] = {}
    for mark in reversed(list(_MARK.finditer(text))):
        at, character = mark.start(2), mark[2]
        if character == "\n":
            ends.clear()
            continue
        found[at] = ends.get(character, at)
        if len(mark[1]) % 2 == 0:
            ends[character] = at
    return found
