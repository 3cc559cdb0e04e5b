"""Several answers to one question: Bedrock gives one, so it is asked several times at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from inhouse.core.delta import Delta, Deltas, Usage

WAITING = 64
"""Deltas that wait to be read before the answers are read more slowly."""


async def merged(answers: Sequence[Deltas]) -> Deltas:
    """Yield the deltas of all answers as they come, each as a choice of its own.

    The usage comes last, of all together. The first failure ends every answer, as closing does.
    """
    deltas: asyncio.Queue[Delta | None] = asyncio.Queue(WAITING)
    tasks = [
        asyncio.create_task(_read(answer, index, deltas)) for index, answer in enumerate(answers)
    ]
    usages: list[Usage] = []
    running = len(tasks)
    try:
        while running:
            delta = await deltas.get()
            if delta is None:
                running -= 1
                for task in tasks:
                    if task.done():
                        task.result()
            elif delta.usage is not None:
                usages.append(delta.usage)
            else:
                yield delta
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if usages:
        yield Delta(usage=_together(usages))


async def _read(answer: Deltas, index: int, deltas: asyncio.Queue[Delta | None]) -> None:
    try:
        async for delta in answer:
            await deltas.put(msgspec.structs.replace(delta, index=index))
    finally:
        await answer.aclose()
        # Behind a cancellation nobody reads any more, and the queue may be full.
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            await deltas.put(None)


def _together(usages: list[Usage]) -> Usage:
    return Usage(
        prompt_tokens=max(usage.prompt_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        cached_tokens=max(usage.cached_tokens for usage in usages),
    )
