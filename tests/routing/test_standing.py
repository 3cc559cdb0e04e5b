"""How deployments stand while they are changed, removed, and still asked by earlier requests."""

import asyncio

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.routing.circuit import IN_A_ROW, State
from inhouse.routing.standing import Standing, Standings

BEFORE = Deployment(name="x", family="general", identifier="scripted/x", max_concurrent=1)
AFTER = msgspec.structs.replace(BEFORE, identifier="scripted/y", max_concurrent=3)


def open_circuit(standing: Standing) -> None:
    for _ in range(IN_A_ROW):
        standing.circuit.failed(UpstreamError(UpstreamFailure.SERVER, "It failed."))


async def test_a_request_that_came_before_a_change_does_not_undo_it() -> None:
    standings = Standings()
    standings.keep({"x": BEFORE})
    open_circuit(standings[BEFORE])
    standings.keep({"x": AFTER})
    assert standings[AFTER].circuit.state is State.CLOSED
    open_circuit(standings[AFTER])
    assert standings[BEFORE].deployment is AFTER
    assert standings[AFTER].circuit.state is State.OPEN


async def test_a_change_gives_slots_to_those_who_wait_for_them() -> None:
    standings = Standings()
    standings.keep({"x": BEFORE})
    queue = standings[BEFORE].queue
    assert queue.enter(1)
    waiting = [asyncio.create_task(queue.wait(0, 9)) for _ in range(3)]
    await asyncio.sleep(0)
    standings.keep({"x": AFTER})
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert (queue.running, queue.waiting) == (3, 1)
    queue.leave()
    await asyncio.gather(*waiting)


async def test_who_is_gone_is_forgotten_once_nothing_runs_there() -> None:
    standings = Standings()
    standings.keep({"x": BEFORE})
    queue = standings[BEFORE].queue
    queue.enter(1)
    standings.keep({})
    assert [each.deployment.name for each in standings.known()] == ["x"]
    queue.leave()
    assert not list(standings.known())
