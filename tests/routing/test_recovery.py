"""Resting deployments are looked at before a request has to try them."""

from collections.abc import Sequence

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Served
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.scripted import Scripted
from inhouse.routing.circuit import IN_A_ROW, State
from inhouse.routing.recovery import Recovery
from inhouse.routing.standing import Standings

DEPLOYMENT = Deployment(name="x", family="general", identifier="scripted/x")


class Listing(Scripted):
    """Lists its models, or fails to."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: UpstreamFailure | None = None
        self.asked = 0

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        self.asked += 1
        if self.fails is not None:
            raise UpstreamError(self.fails, "No list.")
        return await super().served(deployment)


@pytest.fixture
async def standings() -> Standings:
    return Standings()


def recovery(provider: Listing, standings: Standings) -> Recovery:
    def broke(_: Deployment, error: Exception) -> None:
        raise error

    return Recovery(lambda _: provider, standings, broke)


def fail(standings: Standings, **facts: float) -> None:
    kind = UpstreamFailure.RATE_LIMITED if facts else UpstreamFailure.CLOSED
    error = UpstreamError(kind, "It failed.", retry_after=facts.get("after"))
    for _ in range(IN_A_ROW):
        standings[DEPLOYMENT].circuit.failed(error)


async def test_who_is_well_is_left_in_peace(standings: Standings) -> None:
    provider = Listing()
    assert standings[DEPLOYMENT].circuit.admits()
    await recovery(provider, standings).look()
    assert not provider.asked


@pytest.mark.parametrize("fails", [None, UpstreamFailure.PROTOCOL, UpstreamFailure.AUTHENTICATION])
async def test_who_answers_gets_the_next_request_sooner_or_later(
    standings: Standings, fails: UpstreamFailure | None
) -> None:
    provider = Listing()
    provider.fails = fails
    fail(standings)
    circuit = standings[DEPLOYMENT].circuit
    before = circuit.remaining
    await recovery(provider, standings).look()
    assert provider.asked == 1
    assert circuit.remaining == (0 if fails is None else pytest.approx(before, abs=0.5))
    assert circuit.state is (State.HALF_OPEN if fails is None else State.OPEN)


async def test_no_request_is_spent_on_who_does_not_answer(standings: Standings) -> None:
    provider = Listing()
    provider.fails = UpstreamFailure.UNREACHABLE
    fail(standings)
    circuit = standings[DEPLOYMENT].circuit
    await recovery(provider, standings).look()
    assert circuit.remaining > 1
    assert not circuit.admits()


async def test_who_asked_for_patience_is_not_asked(standings: Standings) -> None:
    provider = Listing()
    fail(standings, after=60)
    await recovery(provider, standings).look()
    assert not provider.asked
    assert standings[DEPLOYMENT].circuit.remaining > 50


async def test_a_list_does_not_excuse_who_fails_all_the_same(standings: Standings) -> None:
    circuit = standings[DEPLOYMENT].circuit
    hung = UpstreamError(UpstreamFailure.TIMEOUT, "It did not begin to answer.")
    for _ in range(IN_A_ROW):
        circuit.failed(hung)
    before = circuit.remaining
    await recovery(Listing(), standings).look()
    assert circuit.remaining == pytest.approx(before, abs=0.5)
    assert not circuit.admits()


async def test_a_defect_in_a_provider_does_not_end_the_looking(standings: Standings) -> None:
    class Broken(Listing):
        async def served(self, deployment: Deployment) -> Sequence[Served]:
            raise ZeroDivisionError(deployment.name)

    fail(standings)
    told: list[Exception] = []
    await Recovery(lambda _: Broken(), standings, lambda _, error: told.append(error)).look()
    assert [type(error) for error in told] == [ZeroDivisionError]
