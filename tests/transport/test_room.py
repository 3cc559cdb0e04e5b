"""The fallback's requests under way to one origin are bounded, whoever comes, waits and goes."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.fallback.room import Room
from inhouse.transport.limits import WAITERS

LIMIT = 2


@given(st.lists(st.tuples(st.sampled_from(["enter", "leave", "cancel", "turn"]), st.integers(0))))
async def test_nobody_is_let_in_twice_and_no_place_is_lost(steps: list[tuple[str, int]]) -> None:
    room = Room("a place")
    room.limit = LIMIT
    inside, most = 0, 0
    tasks: list[asyncio.Task[None]] = []

    async def visit(go: asyncio.Event) -> None:
        nonlocal inside, most
        await room.enter(60)
        try:
            inside += 1
            most = max(most, inside)
            await go.wait()
        finally:
            inside -= 1
            room.leave()

    doors: list[asyncio.Event] = []
    for what, which in steps:
        if what == "enter":
            doors.append(asyncio.Event())
            tasks.append(asyncio.create_task(visit(doors[-1])))
        elif what == "turn" or not tasks:
            await asyncio.sleep(0)
        elif what == "leave":
            doors[which % len(doors)].set()
        else:
            tasks[which % len(tasks)].cancel()
    for door in doors:
        door.set()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
    assert most <= LIMIT
    assert room.taken == 0


async def test_only_so_many_wait_and_who_leaves_makes_room_for_another() -> None:
    room = Room("a place")
    room.limit = 1
    await room.enter(60)
    for _ in range(2):
        waiting = [asyncio.create_task(room.enter(60)) for _ in range(WAITERS)]
        await asyncio.sleep(0)
        with pytest.raises(UpstreamError) as caught:
            await room.enter(60)
        assert caught.value.failure is UpstreamFailure.RATE_LIMITED
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    room.leave()
    assert room.taken == 0
