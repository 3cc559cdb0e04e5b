"""A model that repeats itself: one group of lines, or of characters, over and over."""

from __future__ import annotations

import re

LOOP_LINES = 8
"""Longest cycle of lines that counts as a loop when it comes three times in a row."""
LOOP_TIMES = 3
INNER_LOOP_SIZES = range(4, 25)
"""Characters of a cycle inside a line that counts as a loop when it comes five times in a row."""
INNER_LOOP_TIMES = 5
LOOP_STEP = 32
"""A line is looked at for a loop inside it where it is a multiple of this many characters long."""

_WORD = re.compile(r"\w")


class Loops:
    """Watches the lines of one completion."""

    def __init__(self) -> None:
        """Start before the first line."""
        self._lines: list[str] = []

    def closed_by(self, line: str) -> bool:
        """Take a whole line; tell whether it ends the third turn of a group of lines."""
        lines = self._lines
        lines.append(line.rstrip())
        del lines[: -LOOP_LINES * LOOP_TIMES]
        for period in range(1, LOOP_LINES + 1):
            turns = lines[-period * LOOP_TIMES :]
            if len(turns) < period * LOOP_TIMES:
                return False
            if turns[:period] * LOOP_TIMES == turns and _WORD.search("".join(turns[:period])):
                return True
        return False


def loops_inside(line: str, end: int) -> bool:
    """Tell whether what ends there in a line is one cycle of characters, five times over."""
    tail = line[max(0, end - 4 * LOOP_STEP) : end]
    # Whatever cycles, its last characters come again in each turn: one count spares most searches.
    if tail.count(tail[-INNER_LOOP_SIZES.start :]) < INNER_LOOP_TIMES:
        return False
    cycles = any(
        tail[-size * (INNER_LOOP_TIMES - 1) :] == tail[-size * INNER_LOOP_TIMES : -size]
        for size in INNER_LOOP_SIZES
    )
    return cycles and _WORD.search(tail) is not None
