"""Limits a minute: kept together with other processes, told in words, corrected by use."""

import asyncio
import threading
from collections import Counter

import pytest

from inhouse.core.catalog import Limits, Role
from inhouse.core.delta import Usage
from inhouse.core.requests import Caller
from inhouse.errors import LimitError, StoreError
from inhouse.routing import leases
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


class Slow(Counts):
    """Answers questions about one kind of subject only once it is told to."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go = threading.Event()
        self._kind = kind

    def take(self, subject: str, minute: int, wanted: int, limit: int) -> int:
        if subject.endswith(self._kind):
            self.reached.set()
            self.go.wait(60)
        return super().take(subject, minute, wanted, limit)


async def hang_up(quotas: Quotas, asking: Caller, counts: Slow, tokens: int = 0) -> None:
    """Ask, and leave while the store is asked."""
    admission = asyncio.create_task(quotas.admit(asking, tokens))
    await asyncio.to_thread(counts.reached.wait)
    admission.cancel()
    with pytest.raises(asyncio.CancelledError):
        await admission


async def test_who_hangs_up_at_the_door_reserves_nothing() -> None:
    counts = Slow("team:payments:requests")
    quotas = process(counts, Clock())
    ada = caller(tokens_per_minute=1000, team=Limits(requests_per_minute=10))
    await hang_up(quotas, ada, counts, 1000)
    counts.go.set()
    assert await quotas.admit(ada, 1000) is not None


async def test_what_was_granted_to_one_who_hung_up_serves_the_next() -> None:
    counts = Slow("requests")
    quotas = process(counts, Clock())
    ada = caller(requests_per_minute=100)
    await hang_up(quotas, ada, counts)
    counts.go.set()
    assert await passed(quotas, ada, 120) == 100


async def test_without_the_store_tokens_are_corrected_by_use_all_the_same() -> None:
    counts, clock = Counts(), Clock()
    counts.away = True
    quotas = process(counts, clock)
    ada = caller(tokens_per_minute=1000)
    for _ in range(9):
        permit = await quotas.admit(ada, 200)
        assert permit is not None
        permit.settle(Usage(prompt_tokens=50, completion_tokens=50))
    counts.away = False
    await quotas.aclose()
    assert counts.granted["key:ada:tokens", 100] == 0
    assert await passed(quotas, ada, 9, 100) == 1


async def test_a_store_that_goes_away_in_mid_minute_does_not_double_the_limit() -> None:
    counts = Counts()
    quotas = process(counts, Clock())
    ada = caller(requests_per_minute=100)
    before = await passed(quotas, ada, 60)
    counts.away = True
    assert before + await passed(quotas, ada, 100) == 100
    counts.away = False
    assert not await passed(quotas, ada, 10)


async def test_nobody_waits_for_a_store_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "PATIENCE", 0.01)
    counts, told = Slow("s"), list[StoreError]()
    quotas = Quotas(counts, told.append, Clock())
    ada = caller(requests_per_minute=5, tokens_per_minute=50, team=Limits(requests_per_minute=5))
    assert await passed(quotas, ada, 9, 10) == 5
    assert len(told) == 1
    counts.go.set()
    await quotas.aclose()


async def test_who_is_refused_on_and_on_does_not_ask_the_store_on_and_on() -> None:
    counts = Counts()
    assert await passed(process(counts, Clock()), caller(requests_per_minute=5), 1000) == 5
    assert counts.asked < 50


async def test_what_is_too_little_for_a_long_request_is_left_to_the_others() -> None:
    counts, clock = Counts(), Clock()
    one, other = process(counts, clock), process(counts, clock)
    ada = caller(tokens_per_minute=1000)
    assert await one.admit(ada, 200) is not None
    assert not await passed(other, ada, 1, 900)
    await other.aclose()
    assert await passed(one, ada, 9, 100) == 7
    assert await passed(other, ada, 1, 40) == 1


async def test_many_debts_are_told_together() -> None:
    counts, clock = Counts(), Clock()
    quotas = process(counts, clock)
    ada = caller(tokens_per_minute=100_000)
    permits = [await quotas.admit(ada, 1) for _ in range(200)]
    charged: list[int] = []
    charge = counts.charge

    def noted(subject: str, minute: int, units: int) -> None:
        charged.append(units)
        charge(subject, minute, units)

    counts.charge = noted
    for permit in permits:
        assert permit is not None
        permit.settle(Usage(completion_tokens=1000))
    await quotas.aclose()
    assert len(charged) <= 2
    with pytest.raises(LimitError):
        await quotas.admit(ada, 1)


async def test_a_refusal_never_asks_for_more_patience_than_is_left() -> None:
    class Late(Counts):
        def take(self, subject: str, minute: int, wanted: int, limit: int) -> int:
            clock.now = told_at
            return super().take(subject, minute, wanted, limit)

    for then, patience in ((6059.5, 1), (6060.5, 1), (5000.0, 60)):
        clock, counts, told_at = Clock(), Late(), then
        counts.granted["key:ada:requests", 100] = 1
        with pytest.raises(LimitError) as caught:
            await process(counts, clock).admit(caller(requests_per_minute=1), 1)
        assert caught.value.retry_after == patience


async def test_what_is_being_given_back_is_not_missing() -> None:
    quotas = process(Counts(), Clock())
    ada = caller(tokens_per_minute=100)
    for _ in range(10):
        permit = await quotas.admit(ada, 60)
        assert permit is not None
        permit.settle(Usage(prompt_tokens=1, completion_tokens=1))
