"""What may come next, by the vote of all contexts; each keeps a part of its weight in reserve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

_GROWTH = 4.0
_LONGEST = 12
_RESERVE = 0.5


class Vote:
    """Scores of next tokens, and the total that they are shares of.

    A context of `order` tokens weighs ``4^min(order, 12)``. Of that weight it hands out
    ``z / (z + r)`` with ``r = 0.5·(1 + d) / order``, where `z` counts what followed it and `d` the
    distinct ones among that. The rest stays in the total, so a context that was seen once never
    looks certain, and a short one less so than a long one.
    """

    def __init__(self) -> None:
        """Start without a vote."""
        self.scores: dict[int, float] = {}
        self.total = 0.0

    def add(self, followers: Iterable[int], order: int, favour: float = 1.0) -> None:
        """Let a context of `order` tokens vote for what followed it; there must be some."""
        counts = Counter(followers)
        seen = counts.total()
        weight = favour * _GROWTH ** min(order, _LONGEST)
        share = weight / (seen + _RESERVE * (1 + len(counts)) / order)
        scores = self.scores
        for token, count in counts.items():
            scores[token] = scores.get(token, 0.0) + share * count
        self.total += weight

    def shares(self) -> dict[int, float]:
        """Return every token that got a vote with its share of the total, the best first."""
        ranked = sorted(self.scores.items(), key=lambda item: -item[1])
        return {token: score / self.total for token, score in ranked}
