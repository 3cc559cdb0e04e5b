"""Slots and their queue: bounded, urgent ones first, nothing lost."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.routing.queue import Queue

MANY = 100


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_without_a_limit_everybody_runs() -> None:
    queue = Queue("x")
    assert all(queue.enter(None) for _ in range(MANY))
    assert queue.running == MANY


async def test_completion_goes_before_generation_before_chat() -> None:
    queue = Queue("x")
    assert queue.enter(1)
    went: list[int] = []

    async def turn(priority: int) -> None:
        assert not queue.enter(1)
        await queue.wait(priority, MANY)
        went.append(priority)

    tasks = [asyncio.create_task(turn(priority)) for priority in (2, 1, 0, 2, 1, 0)]
    await settled()
    for _ in tasks:
        queue.leave()
        await settled()
    assert went == [0, 0, 1, 1, 2, 2]
    queue.leave()
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_full_queue_refuses_the_least_urgent() -> None:
    queue = Queue("x")
    assert queue.enter(1)
    chat = asyncio.create_task(queue.wait(2, 1))
    await settled()
    with pytest.raises(UpstreamError, match="'x' is busy") as caught:
        await queue.wait(2, 1)
    assert caught.value.failure is UpstreamFailure.BUSY
    completion = asyncio.create_task(queue.wait(0, 1))
    await settled()
    assert chat.done()
    with pytest.raises(UpstreamError):
        await chat
    queue.leave()
    await completion
    queue.leave()
    assert (queue.running, queue.waiting) == (0, 0)


async def test_one_that_is_gone_in_this_very_turn_is_nobody() -> None:
    queue = Queue("x")
    assert queue.enter(1)
    gone = asyncio.create_task(queue.wait(2, 1))
    await settled()
    gone.cancel()
    # Its task has not run yet: there is no turn of the loop before the next one asks.
    asyncio.get_running_loop().call_soon(queue.leave)
    await queue.wait(2, 1)
    assert gone.cancelled()
    queue.leave()
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_raised_limit_lets_those_in_who_wait() -> None:
    queue = Queue("x")
    assert queue.enter(1)
    waiting = [asyncio.create_task(queue.wait(0, MANY)) for _ in range(3)]
    await settled()
    assert queue.enter(5)
    await asyncio.gather(*waiting)
    assert queue.running == 5


async def test_a_lowered_limit_is_kept_though_others_wait() -> None:
    queue = Queue("x")
    assert all(queue.enter(5) for _ in range(5))
    waiting = [asyncio.create_task(queue.wait(0, MANY)) for _ in range(4)]
    await settled()
    queue.resize(2)
    for _ in range(3):
        queue.leave()
    await settled()
    assert (queue.running, queue.waiting) == (2, 4)
    for _ in range(6):
        queue.leave()
        await settled()
    await asyncio.gather(*waiting)
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_limit_is_raised_without_a_newcomer() -> None:
    queue = Queue("x")
    assert queue.enter(1)
    waiting = [asyncio.create_task(queue.wait(0, MANY)) for _ in range(4)]
    await settled()
    waiting[0].cancel()
    queue.resize(3)
    await settled()
    assert (queue.running, queue.waiting) == (3, 1)
    queue.resize(None)
    await asyncio.gather(*waiting[1:])
    assert (queue.running, queue.waiting) == (4, 0)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=30), st.integers(1, 4))
def test_no_slot_is_lost_or_doubled(requests: list[tuple[int, bool]], limit: int) -> None:
    async def run() -> None:
        queue = Queue("x")
        most = 0

        async def ask(priority: int) -> None:
            nonlocal most
            if not queue.enter(limit):
                await queue.wait(priority, 5)
            try:
                most = max(most, queue.running)
                await asyncio.sleep(0)
            finally:
                queue.leave()

        tasks: list[asyncio.Task[None]] = []
        for priority, leaves in requests:
            task = asyncio.create_task(ask(priority))
            tasks.append(task)
            await asyncio.sleep(0)
            if leaves:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= limit
        assert (queue.running, queue.waiting) == (0, 0)

    asyncio.run(run())
