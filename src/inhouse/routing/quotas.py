"""Requests and tokens a minute, for keys and teams, together with all other processes.

A minute is one of the clock (UTC). The store counts what was granted; each process takes small
leases of it, so that the sum is never more than the limit and most requests ask nobody.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

from inhouse.core.delta import Usage
from inhouse.core.ports import Counters
from inhouse.core.requests import Caller
from inhouse.errors import LimitError, StoreError
from inhouse.routing.leases import Leases, Subject

MINUTE = 60.0


class Permit:
    """What was reserved for one request."""

    __slots__ = ("_minute", "_quotas", "_reserved")

    def __init__(self, quotas: Quotas, minute: int, reserved: tuple[Subject, ...]) -> None:
        """Hold `reserved` of a minute."""
        self._quotas = quotas
        self._minute = minute
        self._reserved = reserved

    def settle(self, usage: Usage) -> None:
        """Give back what was not used, and charge what was used beyond."""
        used = usage.prompt_tokens + usage.completion_tokens
        self._quotas.settle(self._minute, self._reserved, used)


class Quotas:
    """Lets requests pass, or says when to come again."""

    def __init__(
        self,
        counters: Counters,
        failed: Callable[[StoreError], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`failed` is told when the store cannot count; limits then hold for this process alone."""
        self._leases = Leases(counters, failed)
        self._clock = clock

    async def admit(self, caller: Caller, tokens: int) -> Permit | None:
        """Reserve a request of about `tokens`; None where the caller has no limits.

        Cancelling reserves nothing.

        Raises:
            LimitError: the key or the team has used up its minute.

        """
        subjects = tuple(_subjects(caller, tokens))
        if not subjects:
            return None
        minute = self._minute()
        taken: list[Subject] = []
        try:
            for subject in subjects:
                await self._take(subject, minute)
                taken.append(subject)
        except BaseException:
            for subject in taken:
                self._leases.put_back(subject, minute, subject.units, self._minute())
            raise
        return Permit(self, minute, subjects)

    def settle(self, minute: int, reserved: tuple[Subject, ...], used: int) -> None:
        """Correct what was reserved by what was used; requests stay as they are."""
        for subject in reserved:
            if subject.name.endswith("tokens"):
                self._leases.put_back(subject, minute, subject.units - used, self._minute())

    async def aclose(self) -> None:
        """Wait for what is still to be told to the store."""
        await self._leases.aclose()

    async def _take(self, subject: Subject, minute: int) -> None:
        if not await self._leases.take(subject, minute):
            raise self._refusal(subject, minute)

    def _minute(self) -> int:
        return int(self._clock() // MINUTE)

    def _refusal(self, subject: Subject, minute: int) -> LimitError:
        # Counting may have taken us into the next minute, where the caller may come at once.
        left = (minute + 1) * MINUTE - self._clock()
        seconds = int(min(max(math.ceil(left), 1), MINUTE))
        return LimitError(
            f"{subject.said} may ask for {subject.limit} {subject.name.rpartition(':')[2]} a"
            f" minute, and this minute's are used up. Try again in {seconds} s.",
            retry_after=seconds,
        )


def _subjects(caller: Caller, tokens: int) -> Iterator[Subject]:
    key, team = caller.limits, caller.team_limits
    said = f"The key '{caller.name}'"
    if key.requests_per_minute is not None:
        yield Subject(f"key:{caller.name}:requests", key.requests_per_minute, 1, said)
    if key.tokens_per_minute is not None:
        # Who asks for more than a whole minute's needs a whole minute, or would never pass.
        units = min(tokens, key.tokens_per_minute)
        yield Subject(f"key:{caller.name}:tokens", key.tokens_per_minute, units, said)
    said = f"The team '{caller.team}'"
    if team.requests_per_minute is not None:
        yield Subject(f"team:{caller.team}:requests", team.requests_per_minute, 1, said)
    if team.tokens_per_minute is not None:
        units = min(tokens, team.tokens_per_minute)
        yield Subject(f"team:{caller.team}:tokens", team.tokens_per_minute, units, said)
