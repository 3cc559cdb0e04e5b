"""Waits end in time, by interruption, or by cancellation: each as what it is."""

import asyncio
import weakref
from collections.abc import AsyncGenerator
from math import inf

import pytest

from inhouse.errors import InhouseError
from inhouse.routing.watch import Watch


def late() -> InhouseError:
    return InhouseError("too late")


async def ready() -> str:
    return "here"


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


async def test_a_time_may_come_sooner_and_later_than_the_one_before() -> None:
    watch = Watch()
    await watch.wait(ready(), watch.now() + 600, late)
    for until in (0.01, 0.02, 0.01):
        await watch.wait(ready(), watch.now() + until / 2, late)
        with pytest.raises(InhouseError, match="too late"):
            await watch.wait(asyncio.sleep(60), watch.now() + until, late)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
    watch.close()


async def test_a_time_that_passes_while_nobody_waits_is_nobody_s() -> None:
    watch = Watch()
    await watch.wait(ready(), watch.now() + 0.01, late)
    await asyncio.sleep(0.02)
    assert await watch.wait(ready(), inf, late) == "here"


async def test_an_interruption_between_two_waits_cancels_nothing() -> None:
    watch = Watch()
    await watch.wait(ready(), inf, late)
    watch.interrupt(InhouseError("make room"))
    watch.interrupt(InhouseError("the second"))
    await asyncio.sleep(0)
    with pytest.raises(InhouseError, match="make room"):
        await watch.wait(ready(), inf, late)
    assert await watch.wait(ready(), inf, late) == "here"


async def test_who_is_being_cancelled_can_be_interrupted_while_tidying_up() -> None:
    watch = Watch()
    tidying, tidied = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            tidying.set()
            with pytest.raises(InhouseError, match="make room"):
                await watch.wait(asyncio.sleep(60), inf, late)
            tidied.set()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()
    await tidying.wait()
    watch.interrupt(InhouseError("make room"))
    with pytest.raises(asyncio.CancelledError):
        await working
    assert tidied.is_set()


async def test_what_fails_of_its_own_accord_is_not_said_to_be_interrupted() -> None:
    watch = Watch()
    watch.begin(inf, late)
    watch.interrupt(why := InhouseError("make room"))
    assert watch.struck(ValueError("its own")) is None
    with pytest.raises(asyncio.CancelledError) as caught:
        await asyncio.sleep(0)
    assert watch.struck(caught.value) is why


async def test_a_watch_that_is_closed_is_not_kept_until_its_time() -> None:
    """A request may be allowed ten minutes, and be over in a moment."""
    watch = Watch()
    for seconds in (600, 300):
        await watch.wait(ready(), watch.now() + seconds, late)
    error = InhouseError("kept by its watch")
    watch.interrupt(error)
    kept = weakref.ref(error)
    watch.close()
    del watch, error
    assert kept() is None
