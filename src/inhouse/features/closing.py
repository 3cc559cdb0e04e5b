"""Where a suggestion closes what an editor has closed already.

Whoever types an opening bracket or quote gets its counterpart from the editor, behind the cursor.
A suggestion that goes on there has to end before that counterpart.
"""

from __future__ import annotations

COUNTERPARTS = {"(": ")", "[": "]", "{": "}"}
BRACKETS = frozenset(COUNTERPARTS.values())
QUOTES = frozenset("\"'`")
CLOSERS = BRACKETS | QUOTES


def closed(text: str, at: int, closers: str) -> int | None:
    """Return where `text` closes, with `closers` and in one piece, what is open at character `at`.

    None where it does not, or something else is open there.
    """
    expected: list[str] = []
    depth = position = 0
    while position < len(text):
        character = text[position]
        if position == at:
            depth = len(expected)
            if not _closes(closers, expected):
                return None
        end = _string(text, position) if character in QUOTES else position
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


def _string(text: str, begin: int) -> int:
    """Return where the string that begins at a quote ends: there, where its line does not say."""
    line_end = text.find("\n", begin)
    end = begin
    while (end := text.find(text[begin], end + 1, line_end if line_end >= 0 else len(text))) >= 0:
        before = text[begin + 1 : end]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return end
    return begin
