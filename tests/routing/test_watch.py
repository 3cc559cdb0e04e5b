"""Waits end in time, by interruption, or by cancellation: each as what it is."""

import asyncio
from collections.abc import AsyncGenerator
from math import inf

import pytest

from inhouse.errors import InhouseError
from inhouse.routing.watch import Watch


def late() -> InhouseError:
    return InhouseError("too late")


async def test_what_comes_in_time_is_returned() -> None:
    watch = Watch()
    assert await watch.wait(asyncio.sleep(0, "here"), watch.now() + 60, late) == "here"


async def test_a_time_that_is_up_ends_the_wait() -> None:
    watch = Watch()
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(InhouseError, match="too late"):
        await watch.wait(never, watch.now() + 0.01, late)
    assert never.cancelled()
    assert await watch.wait(asyncio.sleep(0, "on"), watch.now() + 60, late) == "on"


async def test_a_time_moves_with_each_wait() -> None:
    watch = Watch()
    for _ in range(5):
        assert await watch.wait(asyncio.sleep(0.01, "on"), watch.now() + 0.5, late) == "on"
    with pytest.raises(InhouseError):
        await watch.wait(asyncio.sleep(60), watch.now(), late)


async def test_an_interruption_ends_the_wait_of_now_or_the_next_one() -> None:
    watch = Watch()
    never = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(watch.wait(never, inf, late))
    await asyncio.sleep(0)
    watch.interrupt(InhouseError("make room"))
    with pytest.raises(InhouseError, match="make room"):
        await waiting
    assert never.cancelled()
    watch.interrupt(InhouseError("before"))
    with pytest.raises(InhouseError, match="before"):
        await watch.wait(asyncio.sleep(60), inf, late)


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    watch = Watch()
    waiting = asyncio.create_task(watch.wait(asyncio.sleep(60), watch.now() + 60, late))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert waiting.cancelled()
    both = asyncio.create_task(watch.wait(asyncio.sleep(60), inf, late))
    await asyncio.sleep(0)
    watch.interrupt(InhouseError("make room"))
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both


async def test_a_task_that_was_interrupted_can_still_be_cancelled_and_timed() -> None:
    watch = Watch()

    async def work() -> str:
        with pytest.raises(InhouseError):
            await watch.wait(asyncio.sleep(60), watch.now(), late)
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return "well"

    assert await asyncio.create_task(work()) == "well"
    watch.close()


async def test_an_interruption_between_two_waits_is_raised_by_the_next_one() -> None:
    watch = Watch()

    async def ready() -> str:
        return "here"

    watch.interrupt(InhouseError("make room"))
    with pytest.raises(InhouseError, match="make room"):
        await watch.wait(ready(), inf, late)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert await watch.wait(ready(), inf, late) == "here"


async def stream() -> AsyncGenerator[str]:
    yield "there already"


async def test_what_need_not_wait_is_ended_all_the_same() -> None:
    deltas = stream()
    watch = Watch()
    watch.interrupt(InhouseError("make room"))
    with pytest.raises(InhouseError, match="make room"):
        await watch.wait(anext(deltas, None), inf, late)
    with pytest.raises(InhouseError, match="too late"):
        await watch.wait(anext(deltas, None), watch.now() - 1, late)
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(InhouseError, match="too late"):
        await watch.wait(never, watch.now(), late)
    assert never.cancelled()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert await watch.wait(anext(deltas, None), inf, late) == "there already"
    await deltas.aclose()
