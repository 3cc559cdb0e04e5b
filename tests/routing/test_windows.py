"""What upstreams tell of their context windows, asked for once."""

import asyncio
from collections.abc import Sequence

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Served
from inhouse.providers.scripted import Scripted
from inhouse.routing.windows import Windows

DEPLOYMENT = Deployment(name="x", family="general", identifier="scripted/x")


class Listing(Scripted):
    """Lists its models once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.asked = asyncio.Event()

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        self.asked.set()
        await self.go.wait()
        return [Served(name=deployment.model, window=123)]


async def test_a_hang_up_in_the_moment_of_the_answer_is_a_hang_up() -> None:
    for turns in range(8):
        windows, provider = Windows(), Listing()
        asking = asyncio.create_task(windows.window(DEPLOYMENT, provider, 7))
        await provider.asked.wait()
        provider.go.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        if asking.cancel():
            with pytest.raises(asyncio.CancelledError):
                await asking
        await windows.aclose()
