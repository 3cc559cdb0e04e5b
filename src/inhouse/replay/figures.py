"""What a replay comes to."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from inhouse.core.delta import Usage
from inhouse.replay.asking import Suggested
from inhouse.replay.buffer import State
from inhouse.replay.metered import Metered


class Percentiles(Struct, frozen=True):
    """Milliseconds from the request to the whole suggestion, of those that suggest something."""

    p50: float
    p95: float
    p99: float


class Wrong(Struct, frozen=True):
    """Answers that must not be.

    `contradicted` say something else than the session marks as right. `changed` differ from what
    the same text with the same cursor got before.
    """

    contradicted: int
    changed: int


class Cost(Struct, frozen=True, kw_only=True):
    """What upstreams were asked for, and who says so: ``metrics`` or ``answers``.

    Answers tell neither how often an upstream was asked, nor what requests cost that were hung up:
    then `requests` is None. Metrics know no tokens of requests hung up before the first one. The
    figures of a character are None where none was accepted.
    """

    source: str
    requests: int | None
    prompt_tokens: int
    completion_tokens: int
    requests_per_accepted_character: float | None
    tokens_per_accepted_character: float | None


class Figures(Struct, frozen=True, kw_only=True):
    """What a replay comes to.

    `keystrokes` were typed, with those that accept; `spared` are those of the session that nobody
    had to type. `empty` answers suggest nothing. `repeated` answers are those whose text and cursor
    had got one before. `untold` answers say nothing of tokens.
    """

    keystrokes: int
    spared: int
    asked: int
    answered: int
    empty: int
    hung_up: int
    failed: int
    shown: int
    accepted: int
    accepted_characters: int
    repeated: int
    untold: int
    wrong: Wrong
    milliseconds: Percentiles | None
    cost: Cost
    first_failure: str = ""

    @property
    def good(self) -> bool:
        """Whether every answer came, and none was wrong."""
        return not (self.failed or self.wrong.contradicted or self.wrong.changed)


class Tally:
    """Counts while a session is played."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.keystrokes = 0
        self.spared = 0
        self.asked = 0
        self.hung_up = 0
        self.shown = 0
        self.accepted = 0
        self.accepted_characters = 0
        self._failures: list[str] = []
        self._milliseconds: list[float] = []
        self._answered = 0
        self._repeated = 0
        self._untold = 0
        self._contradicted = 0
        self._changed = 0
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._known: dict[State, str] = {}

    @property
    def answered(self) -> int:
        """Answers so far."""
        return self._answered

    def answer(self, state: State, right: str, found: Suggested, milliseconds: float) -> None:
        """Count an answer; `right` begins with what it must say, as far as the session knows."""
        self._answered += 1
        if found.text:
            self._milliseconds.append(milliseconds)
        self._spent(found.usage)
        if found.text and not (right.startswith(found.text) or found.text.startswith(right)):
            self._contradicted += 1
        if state in self._known:
            self._repeated += 1
            self._changed += self._known[state] != found.text
        else:
            self._known[state] = found.text

    def failure(self, message: str) -> None:
        """Count an answer that did not come."""
        self._failures.append(message)

    def figures(self, added: Metered | None) -> Figures:
        """Sum up; `added` is what the gateway's metrics say, where they were asked."""
        return Figures(
            keystrokes=self.keystrokes,
            spared=self.spared,
            asked=self.asked,
            answered=self._answered,
            empty=self._answered - len(self._milliseconds),
            hung_up=self.hung_up,
            failed=len(self._failures),
            shown=self.shown,
            accepted=self.accepted,
            accepted_characters=self.accepted_characters,
            repeated=self._repeated,
            untold=self._untold,
            wrong=Wrong(self._contradicted, self._changed),
            milliseconds=percentiles(self._milliseconds),
            cost=self._cost(added),
            first_failure=self._failures[0] if self._failures else "",
        )

    def _spent(self, usage: Usage | None) -> None:
        if usage is None:
            self._untold += 1
            return
        self._prompt_tokens += usage.prompt_tokens
        self._completion_tokens += usage.completion_tokens

    def _cost(self, added: Metered | None) -> Cost:
        prompt, completion, requests = self._prompt_tokens, self._completion_tokens, None
        if added is not None:
            prompt, completion = added.prompt_tokens, added.completion_tokens
            requests = added.upstream_requests
        characters = self.accepted_characters
        per = None if requests is None or not characters else requests / characters
        return Cost(
            source="answers" if added is None else "metrics",
            requests=requests,
            prompt_tokens=prompt,
            completion_tokens=completion,
            requests_per_accepted_character=per,
            tokens_per_accepted_character=(
                (prompt + completion) / characters if characters else None
            ),
        )


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """Return the least of the values that so many per cent do not exceed, None where none is."""
    if not values:
        return None
    ranked = sorted(values)
    found = (ranked[math.ceil(len(ranked) * share / 100) - 1] for share in (50, 95, 99))
    return Percentiles(*found)
