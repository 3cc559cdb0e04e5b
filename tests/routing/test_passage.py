"""What a request's way through a deployment tells of it, and what it does not."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from inhouse.core.catalog import Deployment, Role
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller
from inhouse.core.settings import Settings
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.routing.circuit import IN_A_ROW, REMEMBERED, State
from inhouse.routing.late import Late
from inhouse.routing.passage import Passage, resting
from inhouse.routing.standing import Standing, Standings
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch

ONE = Deployment(name="x", family="general", identifier="scripted/x", max_concurrent=1)
SETTINGS = Settings(chat_first_token_timeout=60, chat_total_timeout=100)
TARGET = Target(
    model="chat",
    feature=Feature.CHAT,
    deployments=(ONE,),
    caller=Caller("ada", Role.DEVELOPER),
)


def passage(standing: Standing, *, spent: float = 0) -> Passage:
    """Return the way of a request that has spent some seconds elsewhere."""
    watch = Watch()
    watch.began -= spent
    late = Late(TARGET, standing.deployment, SETTINGS, watch)
    return Passage(TARGET, standing, late, SETTINGS, watch)


async def fail(
    way: Passage,
    failure: UpstreamFailure = UpstreamFailure.TIMEOUT,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    try:
        await way.enter()
    except UpstreamError:
        return  # it rests by now
    meanwhile()
    way.leave(UpstreamError(failure, "It failed."))


async def test_who_waited_while_others_were_answered_met_a_busy_upstream() -> None:
    standing = Standings()[ONE]
    for _ in range(2 * REMEMBERED):
        first = passage(standing)
        await first.enter()
        queued = asyncio.create_task(fail(passage(standing)))
        await asyncio.sleep(0)
        first.answered()
        first.leave(None)
        await queued
    assert standing.circuit.state is State.CLOSED


async def test_who_waited_and_nobody_was_answered_met_a_dead_one() -> None:
    standing = Standings()[ONE]
    tasks = [asyncio.create_task(fail(passage(standing))) for _ in range(IN_A_ROW)]
    await asyncio.gather(*tasks)
    assert standing.circuit.state is State.OPEN


@pytest.mark.parametrize("failure", [UpstreamFailure.TIMEOUT, UpstreamFailure.DEADLINE])
async def test_who_comes_with_little_time_left_tells_nothing(failure: UpstreamFailure) -> None:
    standing = Standings()[ONE]
    for _ in range(IN_A_ROW):
        await fail(passage(standing, spent=90), failure)
    assert standing.circuit.state is State.CLOSED
    for _ in range(IN_A_ROW):
        await fail(passage(standing, spent=30), failure)
    assert standing.circuit.state is State.OPEN


async def test_a_silence_in_the_middle_counts_however_little_time_is_left() -> None:
    standing = Standings()[ONE]
    for _ in range(REMEMBERED):
        way = passage(standing, spent=90)
        await fail(way, meanwhile=way.answered)
    assert standing.circuit.state is State.OPEN


async def test_who_asked_before_a_change_tells_nothing_of_what_is_there_now() -> None:
    standings = Standings()
    standing = standings[ONE]
    changed = msgspec.structs.replace(ONE, max_concurrent=9)
    for _ in range(IN_A_ROW):
        way = passage(standing)
        await fail(way, UpstreamFailure.SERVER, lambda: standings.keep({"x": changed}))
        assert standing.circuit.last is None
        standings.keep({"x": ONE})


async def test_who_waited_through_a_change_tells_of_what_is_there_now() -> None:
    standings = Standings()
    standing = standings[ONE]
    first = passage(standing)
    await first.enter()
    queued = asyncio.create_task(fail(passage(standing), UpstreamFailure.SERVER))
    await asyncio.sleep(0)
    standings.keep({"x": msgspec.structs.replace(ONE, identifier="scripted/y")})
    first.leave(None)
    await queued
    assert standing.circuit.last is not None


@pytest.mark.parametrize("end", [asyncio.CancelledError(), None])
async def test_a_probe_that_tells_nothing_makes_room_for_another(end: BaseException | None) -> None:
    standing = Standings()[ONE]
    for _ in range(IN_A_ROW):
        await fail(passage(standing), UpstreamFailure.CLOSED)
    assert standing.circuit.state is State.OPEN
    standing.circuit.probed()
    probe = passage(standing)
    await probe.enter()
    assert not standing.circuit.admits()
    probe.leave(end)
    assert standing.circuit.admits()
    assert standing.queue.running == 0


async def test_who_is_let_in_where_all_is_left_alone_by_now_makes_way() -> None:
    standing = Standings()[ONE]
    first, second = passage(standing), passage(standing)
    await first.enter()
    queued = asyncio.create_task(second.enter())
    await asyncio.sleep(0)
    for _ in range(IN_A_ROW):
        standing.circuit.failed(UpstreamError(UpstreamFailure.SERVER, "It failed."))
    first.leave(asyncio.CancelledError())
    with pytest.raises(UpstreamError, match="left alone") as caught:
        await queued
    assert caught.value.failure is UpstreamFailure.RESTING
    assert standing.queue.running == 0


async def test_who_asks_for_patience_is_said_to_be_busy_while_it_rests() -> None:
    standing = Standings()[ONE]
    way = passage(standing)
    await way.enter()
    way.leave(UpstreamError(UpstreamFailure.RATE_LIMITED, "Later.", retry_after=60))
    assert resting(standing).failure is UpstreamFailure.RATE_LIMITED
    assert 50 < (resting(standing).retry_after or 0) <= 60
