"""Which model an upstream serves, where it is only one: asked for once in a while."""

import asyncio
from collections.abc import Sequence

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Served
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.scripted import Scripted
from inhouse.routing.single import KEEP, KEEP_FAILURE, Singles

DEPLOYMENT = Deployment(name="x", family="general", identifier="scripted/x")


class Listing(Scripted):
    """Lists these models, fails where there are none, and never answers where it is to hang."""

    def __init__(self, *names: str, hangs: bool = False) -> None:
        super().__init__()
        self.names = names
        self.asked = 0
        self._hangs = hangs

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        self.asked += 1
        if self._hangs:
            await asyncio.Event().wait()
        if not self.names:
            raise UpstreamError(UpstreamFailure.UNREACHABLE, "away", deployment=deployment.name)
        return [Served(name=name) for name in self.names]


class Wait:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_an_upstream_that_does_not_answer_is_not_waited_for() -> None:
    provider = Listing("one", hangs=True)
    singles = Singles(lambda _: provider, patience=0)
    assert await singles.name(DEPLOYMENT) == ""
    assert await singles.name(DEPLOYMENT) == "", "and not asked with each request"
    assert provider.asked == 1


async def test_an_upstream_is_believed_for_a_while() -> None:
    time, provider = Wait(), Listing("one")
    singles = Singles(lambda _: provider, clock=time)
    assert await singles.name(DEPLOYMENT) == "one"
    provider.names = ("two",)
    time.now += KEEP
    assert await singles.name(DEPLOYMENT) == "one"
    time.now += 1
    assert await singles.name(DEPLOYMENT) == "two"


async def test_an_upstream_that_failed_is_soon_asked_again() -> None:
    time, provider = Wait(), Listing()
    singles = Singles(lambda _: provider, clock=time)
    assert await singles.name(DEPLOYMENT) == ""
    provider.names = ("one",)
    time.now += KEEP_FAILURE
    assert await singles.name(DEPLOYMENT) == ""
    time.now += 1
    assert await singles.name(DEPLOYMENT) == "one"


async def test_of_several_none_is_taken() -> None:
    provider = Listing("one", "two")
    assert await Singles(lambda _: provider).name(DEPLOYMENT) == ""
