"""Several choices from upstreams that give one an answer: asked side by side, joined to one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from inhouse.core.delta import Delta, Deltas, Usage

AT_ONCE = 4
"""Choices of one request that are asked for at the same time."""
_WAITING = 64
"""Deltas that wait for their reader; behind them the upstreams wait too."""


async def several(choices: int, ask: Callable[[], Deltas]) -> AsyncGenerator[Delta]:
    """Yield the deltas of so many answers, each under its own index, and the sum of their usage.

    The first failure ends them all, and so does leaving; raises what `ask` raises.
    """
    said: asyncio.Queue[Delta | Exception | None] = asyncio.Queue(_WAITING)
    places = asyncio.Semaphore(AT_ONCE)
    tasks = [asyncio.create_task(_listen(index, ask, places, said.put)) for index in range(choices)]
    usages: list[Usage] = []
    try:
        running = choices
        while running:
            match await said.get():
                case None:
                    running -= 1
                case Exception() as error:
                    raise error
                case Delta(usage=Usage() as usage):
                    usages.append(usage)
                case delta:
                    yield delta
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if usages:
        yield Delta(usage=_sum(usages))


async def _listen(
    index: int,
    ask: Callable[[], Deltas],
    places: asyncio.Semaphore,
    tell: Callable[[Delta | Exception | None], Awaitable[None]],
) -> None:
    try:
        async with places, contextlib.aclosing(ask()) as deltas:
            async for delta in deltas:
                await tell(msgspec.structs.replace(delta, index=index))
    except Exception as error:  # noqa: BLE001 - whoever reads the answer raises it
        await tell(error)
    else:
        await tell(None)


def _sum(usages: list[Usage]) -> Usage:
    """Add up what was used; each choice has read the prompt anew."""
    return Usage(
        prompt_tokens=sum(each.prompt_tokens for each in usages),
        completion_tokens=sum(each.completion_tokens for each in usages),
        cached_tokens=sum(each.cached_tokens for each in usages),
    )
