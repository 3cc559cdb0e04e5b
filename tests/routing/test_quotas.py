"""Limits a minute: kept together with other processes, told in words, corrected by use."""

import asyncio
import threading
from collections import Counter

import pytest

from inhouse.core.catalog import Limits, Role
from inhouse.core.delta import Usage
from inhouse.core.requests import Caller
from inhouse.errors import LimitError, StoreError
from inhouse.routing.quotas import Quotas


class Counts:
    """A store's counters, in memory."""

    def __init__(self) -> None:
        self.granted: Counter[tuple[str, int]] = Counter()
        self.asked = 0
        self.away = False
        self._lock = threading.Lock()

    def take(self, subject: str, minute: int, wanted: int, limit: int) -> int:
        with self._lock:
            self._reach()
            self.asked += 1
            found = max(0, min(wanted, limit - self.granted[subject, minute]))
            self.granted[subject, minute] += found
            return found

    def give_back(self, subject: str, minute: int, units: int) -> None:
        with self._lock:
            self._reach()
            self.granted[subject, minute] -= units

    def charge(self, subject: str, minute: int, units: int) -> None:
        with self._lock:
            self._reach()
            self.granted[subject, minute] += units

    def _reach(self) -> None:
        if self.away:
            raise StoreError("The store is away.")


class Clock:
    def __init__(self) -> None:
        self.now = 6000.0

    def __call__(self) -> float:
        return self.now


def process(counts: Counts, clock: Clock) -> Quotas:
    return Quotas(counts, lambda _: None, clock)


def caller(name: str = "ada", *, team: Limits | None = None, **limits: int) -> Caller:
    return Caller(name, Role.DEVELOPER, (), "payments", Limits(**limits), team or Limits())


async def passed(quotas: Quotas, asking: Caller, times: int, tokens: int = 0) -> int:
    answers = await asyncio.gather(
        *(quotas.admit(asking, tokens) for _ in range(times)), return_exceptions=True
    )
    assert all(isinstance(each, LimitError) for each in answers if isinstance(each, Exception))
    return sum(not isinstance(each, Exception) for each in answers)


async def test_without_limits_nobody_is_asked() -> None:
    counts = Counts()
    assert await process(counts, Clock()).admit(caller(), 10**9) is None
    assert not counts.asked


@pytest.mark.parametrize("limit", [1, 2, 7, 60, 1000])
async def test_several_processes_keep_one_limit(limit: int) -> None:
    counts, clock = Counts(), Clock()
    processes = [process(counts, clock) for _ in range(4)]
    ada = caller(requests_per_minute=limit)
    found = await asyncio.gather(*(passed(each, ada, limit) for each in processes))
    assert sum(found) == limit
    clock.now += 60
    assert await passed(processes[0], ada, 2 * limit) == limit


async def test_most_requests_ask_nobody() -> None:
    counts, clock = Counts(), Clock()
    assert await passed(process(counts, clock), caller(requests_per_minute=10_000), 1000) == 1000
    assert counts.asked <= 3


async def test_a_refusal_says_whose_limit_it_is_and_when_to_come_again() -> None:
    clock = Clock()
    clock.now += 18.5
    quotas = process(Counts(), clock)
    ada = caller(requests_per_minute=1)
    await quotas.admit(ada, 5)
    with pytest.raises(LimitError, match="'ada' may ask for 1 requests a minute") as caught:
        await quotas.admit(ada, 5)
    assert caught.value.retry_after == 42


async def test_a_team_shares_its_limit() -> None:
    quotas = process(Counts(), Clock())
    team = Limits(requests_per_minute=3)
    assert await passed(quotas, caller("ada", team=team), 2) == 2
    assert await passed(quotas, caller("bob", team=team), 2) == 1
    with pytest.raises(LimitError, match="team 'payments'"):
        await quotas.admit(caller("eve", team=team), 1)


async def test_what_a_team_refuses_is_not_taken_from_the_key() -> None:
    quotas = process(Counts(), Clock())
    poor = caller(requests_per_minute=2, team=Limits(requests_per_minute=1))
    assert await passed(quotas, poor, 3) == 1
    assert await passed(quotas, caller(requests_per_minute=2), 3) == 1


async def test_tokens_are_corrected_by_what_was_used() -> None:
    counts, clock = Counts(), Clock()
    quotas = process(counts, clock)
    ada = caller(tokens_per_minute=1000)
    permit = await quotas.admit(ada, 900)
    assert permit is not None
    with pytest.raises(LimitError, match="1000 tokens"):
        await quotas.admit(ada, 200)
    permit.settle(Usage(prompt_tokens=50, completion_tokens=50))
    await quotas.aclose()
    assert await quotas.admit(ada, 800) is not None


async def test_what_was_used_beyond_is_charged_to_all() -> None:
    counts, clock = Counts(), Clock()
    one, other = process(counts, clock), process(counts, clock)
    ada = caller(tokens_per_minute=1000)
    permit = await one.admit(ada, 10)
    assert permit is not None
    permit.settle(Usage(prompt_tokens=5, completion_tokens=990))
    await one.aclose()
    with pytest.raises(LimitError):
        await other.admit(ada, 10)


async def test_a_long_answer_is_charged_to_the_minute_in_which_it_ends() -> None:
    counts, clock = Counts(), Clock()
    quotas = process(counts, clock)
    ada = caller(tokens_per_minute=1000)
    permit = await quotas.admit(ada, 10)
    assert permit is not None
    clock.now += 60
    permit.settle(Usage(prompt_tokens=5, completion_tokens=2000))
    await quotas.aclose()
    with pytest.raises(LimitError):
        await quotas.admit(ada, 10)


async def test_who_wants_more_than_a_minute_holds_gets_a_whole_minute() -> None:
    quotas = process(Counts(), Clock())
    ada = caller(tokens_per_minute=100)
    assert await quotas.admit(ada, 10**6) is not None
    with pytest.raises(LimitError):
        await quotas.admit(ada, 1)


async def test_without_the_store_each_process_keeps_the_limit_alone() -> None:
    counts, clock = Counts(), Clock()
    counts.away = True
    told: list[StoreError] = []
    quotas = Quotas(counts, told.append, clock)
    assert await passed(quotas, caller(requests_per_minute=5), 9) == 5
    assert told
    counts.away = False
    clock.now += 60
    assert await passed(quotas, caller(requests_per_minute=5), 9) == 5
