"""Which deployment of a target goes first."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.catalog import Deployment, Role
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.routing.choosing import ordered
from inhouse.routing.standing import Standings
from inhouse.routing.target import Target

FILES = [f"src/module_{number}.py" for number in range(2000)]


def target(*, limit: int | None = None, **weights: int) -> Target:
    return Target(
        model="completion",
        feature=Feature.COMPLETION,
        deployments=tuple(
            Deployment(name=name, family="general", identifier="scripted/x", max_concurrent=limit)
            for name in weights
        ),
        weights=tuple(weights.values()),
        caller=Caller("ada", Role.DEVELOPER),
    )


def names(asked: Target, standings: Standings, affinity: str = "") -> list[str]:
    return [each.name for each in ordered(asked, standings, affinity)]


def rest(asked: Target, standings: Standings, position: int) -> None:
    circuit = standings[asked.deployments[position]].circuit
    circuit.failed(UpstreamError(UpstreamFailure.RATE_LIMITED, "Wait.", retry_after=60))


async def test_the_same_file_goes_to_the_same_replica() -> None:
    standings, group = Standings(), target(a=1, b=1, c=1)
    first = {file: names(group, standings, file)[0] for file in FILES}
    assert first == {file: names(group, standings, file)[0] for file in FILES}
    shares = Counter(first.values())
    assert all(share == pytest.approx(len(FILES) / 3, rel=0.15) for share in shares.values())


async def test_weights_are_shares() -> None:
    standings, group = Standings(), target(a=3, b=1)
    shares = Counter(names(group, standings, file)[0] for file in FILES)
    assert shares["a"] / shares["b"] == pytest.approx(3, rel=0.2)


async def test_a_replica_that_goes_moves_only_its_own_files() -> None:
    standings, group = Standings(), target(a=1, b=1, c=1)
    before = {file: names(group, standings, file)[0] for file in FILES}
    rest(group, standings, 1)
    after = {file: names(group, standings, file)[0] for file in FILES}
    assert {file for file in FILES if before[file] != after[file]} == {
        file for file in FILES if before[file] == "b"
    }


async def test_a_busy_replica_hands_its_files_over() -> None:
    standings, group = Standings(), target(a=1, b=1)
    own = names(group, standings, "x.py")[0]
    standing = standings[next(each for each in group.deployments if each.name == own)]
    for _ in range(2):
        standing.queue.enter(None)
    assert names(group, standings, "x.py")[0] == own
    standing.queue.enter(None)
    assert names(group, standings, "x.py")[0] != own


async def test_weights_are_shares_for_the_slack_too() -> None:
    def handed_over(weight: int) -> int:
        standings, group = Standings(), target(a=weight, b=weight)
        own = names(group, standings, "x.py")[0]
        standing = standings[next(each for each in group.deployments if each.name == own)]
        while names(group, standings, "x.py")[0] == own:
            standing.queue.enter(None)
        return standing.load

    assert handed_over(50) == handed_over(1)


async def test_a_full_replica_keeps_no_file_waiting_while_another_is_free() -> None:
    standings, group = Standings(), target(a=1, b=1, limit=1)
    own, other = names(group, standings, "x.py")
    by_name = {each.name: each for each in group.deployments}
    standings[by_name[own]].queue.enter(1)
    assert names(group, standings, "x.py") == [other, own]
    standings[by_name[other]].queue.enter(1)
    assert names(group, standings, "x.py") == [own, other]


async def test_without_a_file_the_least_busy_goes_first() -> None:
    standings, group = Standings(), target(a=1, b=1, c=2)
    for deployment, load in zip(group.deployments, (2, 1, 3), strict=True):
        for _ in range(load):
            standings[deployment].queue.enter(None)
    assert names(group, standings)[0] == "b"


async def test_weight_zero_comes_last() -> None:
    standings, group = Standings(), target(spare=0, a=1, b=1)
    assert all(names(group, standings, file)[-1] == "spare" for file in FILES[:50])


async def test_a_list_keeps_its_order_whatever_happens() -> None:
    standings = Standings()
    listed = Target(
        model="chat",
        feature=Feature.CHAT,
        deployments=target(a=1, b=1).deployments,
        caller=Caller("ada", Role.DEVELOPER),
    )
    rest(listed, standings, 0)
    assert names(listed, standings, "x.py") == ["a", "b"]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any), st.text(max_size=20))
def test_nobody_is_lost_or_doubled(weights: list[int], affinity: str) -> None:
    import asyncio  # noqa: PLC0415 -- hypothesis runs this without a loop

    async def run() -> None:
        group = target(**{f"d{position}": weight for position, weight in enumerate(weights)})
        found = names(group, Standings(), affinity)
        assert sorted(found) == sorted(each.name for each in group.deployments)

    asyncio.run(run())
