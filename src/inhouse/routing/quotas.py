"""Requests and tokens a minute, for keys and teams, together with all other processes.

A minute is one of the clock (UTC). The store counts what was granted; each process takes small
leases of it, so that the sum is never more than the limit and most requests ask nobody.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator

from msgspec import Struct

from inhouse.core.delta import Usage
from inhouse.core.ports import Counters
from inhouse.core.requests import Caller
from inhouse.errors import LimitError, StoreError

MINUTE = 60.0
SHARES = 20
"""Leases that a whole limit is worth: what an idle process may keep from the others is one."""


class _Subject(Struct, frozen=True):
    """Whose minute, of what, and how much."""

    name: str
    limit: int
    units: int
    said: str


class _Lease:
    """What this process may still grant in one minute."""

    __slots__ = ("alone", "left", "lock", "minute")

    def __init__(self) -> None:
        self.minute = -1
        self.alone = -1
        """The last minute in which the store could not be asked."""
        self.left = 0
        self.lock = asyncio.Lock()


class Permit:
    """What was reserved for one request."""

    __slots__ = ("_minute", "_quotas", "_reserved")

    def __init__(self, quotas: Quotas, minute: int, reserved: tuple[_Subject, ...]) -> None:
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
        self._counters = counters
        self._failed = failed
        self._clock = clock
        self._leases: dict[str, _Lease] = {}
        self._telling: set[asyncio.Task[None]] = set()

    async def admit(self, caller: Caller, tokens: int) -> Permit | None:
        """Reserve a request of about `tokens`; None where the caller has no limits.

        Raises:
            LimitError: the key or the team has used up its minute.

        """
        subjects = tuple(_subjects(caller, tokens))
        if not subjects:
            return None
        minute = self._minute()
        for position, subject in enumerate(subjects):
            if not await self._take(subject, minute):
                for taken in subjects[:position]:
                    self._return(taken, minute, taken.units)
                raise self._refusal(subject)
        return Permit(self, minute, subjects)

    def settle(self, minute: int, reserved: tuple[_Subject, ...], used: int) -> None:
        """Correct what was reserved by what was used; requests stay as they are."""
        for subject in reserved:
            if subject.name.endswith("tokens"):
                self._return(subject, minute, subject.units - used)

    async def aclose(self) -> None:
        """Wait for what is still to be told to the store."""
        await asyncio.gather(*self._telling, return_exceptions=True)

    def keep(self, names: frozenset[str]) -> None:
        """Forget leases of keys and teams that are gone."""
        for name in self._leases.keys() - names:
            del self._leases[name]

    async def _take(self, subject: _Subject, minute: int) -> bool:
        lease = self._lease(subject.name)
        async with lease.lock:
            if lease.minute != minute:
                lease.minute, lease.left = minute, 0
            if lease.left < subject.units:
                granted = await self._granted(lease, subject, minute)
                # Read only now: others may have given back meanwhile.
                lease.left += granted
            if lease.left < subject.units:
                return False
            lease.left -= subject.units
            return True

    async def _granted(self, lease: _Lease, subject: _Subject, minute: int) -> int:
        wanted = max(subject.units - lease.left, subject.limit // SHARES)
        try:
            return await asyncio.to_thread(
                self._counters.take, subject.name, minute, wanted, subject.limit
            )
        except StoreError as error:
            self._failed(error)
            if lease.alone == minute:
                return 0
            lease.alone = minute
            return subject.limit

    def _return(self, subject: _Subject, minute: int, units: int) -> None:
        """Put units back into the lease; less than none is a debt."""
        lease = self._lease(subject.name)
        now = self._minute()
        if now != minute or lease.minute != minute:
            if units < 0:
                self._later(self._counters.charge, subject.name, now, -units)
            return
        lease.left += units
        share = max(1, subject.limit // SHARES)
        if lease.left < 0:
            # The others must hear of a debt, or the minute would grant it twice.
            self._later(self._counters.charge, subject.name, minute, -lease.left)
            lease.left = 0
        elif lease.left > 2 * share:
            self._later(self._counters.give_back, subject.name, minute, lease.left - share)
            lease.left = share

    def _lease(self, name: str) -> _Lease:
        return self._leases.setdefault(name, _Lease())

    def _minute(self) -> int:
        return int(self._clock() // MINUTE)

    def _later(self, tell: Callable[[str, int, int], None], name: str, minute: int, n: int) -> None:
        task = asyncio.create_task(self._tell(tell, name, minute, n))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(
        self, tell: Callable[[str, int, int], None], name: str, minute: int, units: int
    ) -> None:
        try:
            await asyncio.to_thread(tell, name, minute, units)
        except StoreError as error:
            self._failed(error)

    def _refusal(self, subject: _Subject) -> LimitError:
        now = self._clock()
        seconds = math.ceil(MINUTE - now % MINUTE) or 1
        return LimitError(
            f"{subject.said} may ask for {subject.limit} {subject.name.rpartition(':')[2]} a"
            f" minute, and this minute's are used up. Try again in {seconds} s.",
            retry_after=seconds,
        )


def _subjects(caller: Caller, tokens: int) -> Iterator[_Subject]:
    key, team = caller.limits, caller.team_limits
    said = f"The key '{caller.name}'"
    if key.requests_per_minute is not None:
        yield _Subject(f"key:{caller.name}:requests", key.requests_per_minute, 1, said)
    if key.tokens_per_minute is not None:
        # Who asks for more than a whole minute's needs a whole minute, or would never pass.
        units = min(tokens, key.tokens_per_minute)
        yield _Subject(f"key:{caller.name}:tokens", key.tokens_per_minute, units, said)
    said = f"The team '{caller.team}'"
    if team.requests_per_minute is not None:
        yield _Subject(f"team:{caller.team}:requests", team.requests_per_minute, 1, said)
    if team.tokens_per_minute is not None:
        units = min(tokens, team.tokens_per_minute)
        yield _Subject(f"team:{caller.team}:tokens", team.tokens_per_minute, units, said)
