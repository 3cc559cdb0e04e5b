"""The rest of the line at the cursor, voted for by the repository and by the file itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from inhouse.providers.repository.lexer import ends_line, is_word, lex
from inhouse.providers.repository.suffixes import LONGEST_CONTEXT, SEPARATOR, Contexts
from inhouse.providers.repository.vote import Vote

PREFIX_CHARACTERS = 12_000
SUFFIX_CHARACTERS = 6_000
LINE_TOKENS = 40
_OCCURRENCES = 400
"""Occurrences of a context that are looked at; more of them do not change the vote."""
_FILE_ORDERS = 16
_FILE_FAVOUR = 1.5
"""A context seen in this very file counts for more than one seen elsewhere."""
_FRAGMENT_RESERVE = 0.3
"""Share of the vote that stays in reserve while the words that fit a fragment are compared."""
_RECENT_WORD = 0.1
_BRANCHES = 4


class Suggestion(Struct, frozen=True):
    """The rest of a line; `confidence` (0 to 1) is its probability by the vote.

    `whole` claims that the line ends here, and not merely the caller's limit.
    """

    text: str
    confidence: float
    whole: bool = True


class Cancelled(Exception):  # noqa: N818 -- nothing went wrong: nobody waits any longer
    """The query was given up between two tokens."""


class Vocabulary:
    """Token ids of the repository, and further ones for what only the open file holds."""

    def __init__(self, ids: dict[str, int], words: Sequence[str]) -> None:
        """`words` is indexed by id, `ids` is its inverse; neither is changed."""
        self._ids = ids
        self._words = words
        self._own_ids: dict[str, int] = {}
        self._own: list[str] = []

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """Return the tokens' ids; an unknown token gets the next free one."""
        return [self._ids.get(token) or self._own_id(token) for token in tokens]

    def word(self, token: int) -> str:
        """Return the text of a token; the separator's is empty."""
        known = len(self._words)
        return self._words[token] if token < known else self._own[token - known]

    def _own_id(self, token: str) -> int:
        found = self._own_ids.get(token)
        if found is None:
            found = self._own_ids[token] = len(self._words) + len(self._own)
            self._own.append(token)
        return found


class Query:
    """One cursor: predicts what follows, token by token."""

    def __init__(
        self,
        contexts: Contexts,
        vocabulary: Vocabulary,
        prefix: str,
        suffix: str,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Read the file around the cursor; `given_up` is asked before each token."""
        self._contexts = contexts
        self._vocabulary = vocabulary
        self._given_up = given_up
        before = lex(prefix[-PREFIX_CHARACTERS:])
        behind = lex(suffix[:SUFFIX_CHARACTERS])
        self.prompt_tokens = len(before) + len(behind)
        self._fragment = before.pop() if before and is_word(before[-1]) else ""
        self._rest_of_line = suffix[:SUFFIX_CHARACTERS].partition("\n")[0].strip()
        # What stands behind the cursor comes first, so that the prefix ends where the line goes on.
        self._file = [
            SEPARATOR,
            *vocabulary.ids(behind),
            SEPARATOR,
            *vocabulary.ids(before),
        ]
        self._array = np.array(self._file, np.int32)

    def suggestions(self, count: int = 1, limit: int = LINE_TOKENS) -> list[Suggestion]:
        """Return up to `count` distinct suggestions, the best first; none where nothing is known.

        The first takes the best token at each step. The others turn off once from it, where the
        second choice was closest, and take the best token from there.

        Raises:
            Cancelled: `given_up` said so.

        """
        limit = min(limit, LINE_TOKENS)
        branches: list[tuple[float, list[int]]] = []
        found: dict[str, Suggestion] = {}
        self._walk([], limit, found, branches if count > 1 else None)
        branches.sort(key=lambda branch: -branch[0])
        for _, start in branches:
            if len(found) >= count:
                break
            self._walk(start, limit, found, None)
        return sorted(found.values(), key=lambda each: -each.confidence)[:count]

    def _walk(
        self,
        start: Sequence[int],
        limit: int,
        found: dict[str, Suggestion],
        branches: list[tuple[float, list[int]]] | None,
    ) -> None:
        """Go on from `start` to the end of the line; note the suggestion and where to branch."""
        line: list[int] = []
        confidence = 1.0
        whole = False
        while len(line) < limit and not whole:
            shares = self._next(line)
            if not shares:
                return
            best = start[len(line)] if len(line) < len(start) else next(iter(shares))
            if branches is not None:
                others = [token for token in shares if token != best][:_BRANCHES]
                branches += [(confidence * shares[other], [*line, other]) for other in others]
            confidence *= shares[best]
            whole = best == SEPARATOR
            if not whole:
                line.append(best)
        text = self._text(line)
        if text and text not in found:
            found[text] = Suggestion(text, confidence, whole)

    def _text(self, line: Sequence[int]) -> str:
        """Return what to insert, empty where it would not lead up to the rest of the line."""
        text = "".join(self._vocabulary.word(token) for token in line)
        text = text[len(self._fragment) :].rstrip(" \t")
        if self._rest_of_line:
            text = text.rpartition(self._rest_of_line)[0]
        return text

    def _next(self, line: Sequence[int]) -> dict[int, float]:
        """Return the probabilities of the next token, the best first; empty is no idea."""
        if self._given_up():
            raise Cancelled
        vote = Vote()
        context = [*self._file[-LONGEST_CONTEXT:], *line][-LONGEST_CONTEXT:]
        self._ask_repository(vote, context)
        self._ask_file(vote, context)
        if self._fragment and not line:
            self._keep_fitting(vote)
        else:
            self._join_line_ends(vote)
        return vote.shares()

    def _ask_repository(self, vote: Vote, context: Sequence[int]) -> None:
        ranges = self._contexts.ranges(context)
        longest = len(ranges)
        orders = {longest, longest - 1, longest - 2, longest // 2, 3, 2, 1}
        for order in sorted(orders, reverse=True):
            if 1 <= order <= longest:
                low, high = ranges[order - 1]
                vote.add(self._contexts.followers(low, high, _OCCURRENCES), order)

    def _ask_file(self, vote: Vote, context: Sequence[int]) -> None:
        file = self._array
        places = np.flatnonzero(file[:-1] == context[-1]) + 1
        for order in range(1, min(_FILE_ORDERS, len(context)) + 1):
            if order > 1:
                places = places[places >= order]
                places = places[file[places - order] == context[-order]]
            if not len(places):
                return
            vote.add(file[places].tolist(), order, _FILE_FAVOUR)

    def _join_line_ends(self, vote: Vote) -> None:
        """Count every newline, whatever its indentation, as one end of the line."""
        word = self._vocabulary.word
        ends = [token for token in vote.scores if ends_line(word(token))]
        if ends:
            joined = sum(vote.scores.pop(token) for token in ends)
            vote.scores[SEPARATOR] = vote.scores.get(SEPARATOR, 0.0) + joined

    def _keep_fitting(self, vote: Vote) -> None:
        """Keep words that begin with the fragment; without any, the file's latest that does."""
        word = self._vocabulary.word
        fragment = self._fragment
        reserve = _FRAGMENT_RESERVE * vote.total
        vote.scores = {
            token: score for token, score in vote.scores.items() if word(token).startswith(fragment)
        }
        if not vote.scores:
            latest = next(
                (
                    token
                    for token in reversed(self._file)
                    if word(token) != fragment and word(token).startswith(fragment)
                ),
                SEPARATOR,
            )
            if latest != SEPARATOR:
                vote.scores = {latest: _RECENT_WORD}
                reserve = max(reserve, _RECENT_WORD) + _FRAGMENT_RESERVE
        vote.total = max(reserve, sum(vote.scores.values()))
