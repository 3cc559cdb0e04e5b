"""Tables of data that repeat one another, such as code pages: one of a kind is enough."""

from __future__ import annotations

import re

LEAST_LINES = 50
TABLE_SHARE = 0.6
REPEATED_SHARE = 0.4
_DATA = re.compile(r"""\s*(?:["'(\[{+-]|\d|u?r?b?["'])""")


class Tables:
    """Remembers the lines of tables, and finds tables that mostly repeat them."""

    def __init__(self) -> None:
        """Start without any."""
        self._seen: set[int] = set()

    def repeats(self, text: str) -> bool:
        """Tell whether `text` is a table that repeats earlier ones; remember it where it is new."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        data = {hash(line) for line in lines if _DATA.match(line)}
        table = sum(_DATA.match(line) is not None for line in lines) >= TABLE_SHARE * len(lines)
        if len(lines) < LEAST_LINES or not table:
            return False
        repeated = len(data & self._seen) >= REPEATED_SHARE * len(data)
        if not repeated:
            self._seen |= data
        return repeated
