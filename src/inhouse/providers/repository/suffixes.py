"""Every context that occurs in the repository, sorted, so that a query's own is found at once.

The suffix array is built over the text read *backwards*: a row stands for a position, rows are
sorted by the token before the position, then by the one before that, and so on. The rows that
share a context are therefore neighbours, a longer context is a part of the shorter one's range,
and the token that follows is the one at the position itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]

SEPARATOR = 0
"""The id that stands before the first file and behind each file."""
SORTED_TOKENS = 32
"""Contexts are sorted by this many tokens, and by position where these are equal."""
LONGEST_CONTEXT = 24
_GATHERED = 1500
"""Ranges up to this size are searched as one array, larger ones row by row."""


class Contexts:
    """Token ids with the suffix array over their contexts: 8 bytes a token."""

    def __init__(self, ids: Ids, rows: Ids) -> None:
        """Take token ids that begin with a separator, and `sort` of them."""
        self.ids = ids
        self.rows = rows
        counts = np.bincount(ids[:-1]) if len(ids) > 1 else np.zeros(1, np.int64)
        # Row 0 is the first position, which has no context at all.
        self._starts: list[int] = (np.concatenate(([0], np.cumsum(counts))) + 1).tolist()
        self._id = ids.data
        self._row = rows.data

    def ranges(self, context: Sequence[int]) -> list[tuple[int, int]]:
        """Return the rows whose last 1, 2, 3 … tokens are those of `context`, while there are any.

        Ids that the index does not know may occur in `context`; they match nothing.
        """
        last = context[-1]
        if last + 1 >= len(self._starts) or self._starts[last] >= self._starts[last + 1]:
            return []
        low, high = self._starts[last], self._starts[last + 1]
        found = [(low, high)]
        for back in range(2, min(LONGEST_CONTEXT, len(context)) + 1):
            if context[1 - back] == SEPARATOR:
                break  # A file begins there: what stands further back says nothing.
            low, high = self._narrow(low, high, back, context[-back])
            if low >= high:
                break
            found.append((low, high))
        return found

    def _narrow(self, low: int, high: int, back: int, token: int) -> tuple[int, int]:
        """Return the part of a range whose token `back` places before is `token`."""
        if high - low <= _GATHERED:
            column = self.ids[self.rows[low:high] - back]
            return low + int(column.searchsorted(token)), low + int(
                column.searchsorted(token, "right")
            )

        def before(row: int) -> int:
            return self._id[self._row[row] - back]

        rows = range(low, high)
        return low + bisect_left(rows, token, key=before), low + bisect_right(
            rows, token, key=before
        )

    def followers(self, low: int, high: int, most: int) -> list[int]:
        """Return the tokens that follow a range of rows, `most` of them, evenly spaced."""
        if high - low > most:
            rows = self.rows[low + np.arange(most) * (high - low) // most]
        else:
            rows = self.rows[low:high]
        return self.ids[rows].tolist()


def sort(ids: Ids, progress: Callable[[float], None] = lambda _: None) -> Ids:
    """Return the positions of `ids` sorted by the tokens before them, by prefix doubling.

    `progress` hears the share that is done. Takes 40 bytes a token while it works.
    """
    size = len(ids)
    rank = np.zeros(size, np.int64)
    rank[1:] = ids[:-1]
    rank[1:] += 1
    known = 1
    while known < min(SORTED_TOKENS, size):
        pair = rank * (max(size, int(rank.max())) + 2)
        pair[known:] += rank[:-known] + 1
        rows = np.argsort(pair)
        pair = pair[rows]
        rank[rows[0]] = 0
        rank[rows[1:]] = np.cumsum(pair[1:] != pair[:-1])
        known *= 2
        progress((known.bit_length() - 1) / (SORTED_TOKENS.bit_length() - 1))
    # The quick sort above leaves ties in any order; positions make the result the same everywhere.
    return np.argsort(rank * size + np.arange(size)).astype(np.int32)
