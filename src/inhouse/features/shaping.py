"""Pass a stream through one shaper a choice, and leave the upstream when no more is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

import msgspec

from inhouse.core.delta import Delta, Deltas, Usage


class Shaper(Protocol):
    """Decides piece by piece what of a streamed text is shown."""

    done: bool

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        ...

    def finish(self) -> str:
        """The model stopped by itself: return what was held back and belongs to the answer."""
        ...


class Chain:
    """Shapers one behind the other, as one."""

    def __init__(self, *shapers: Shaper) -> None:
        """The first gets what the model wrote."""
        self._shapers = shapers
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        for position, shaper in enumerate(self._shapers):
            text = shaper.feed(text)
            if shaper.done:
                self.done = True
                return _finished(self._shapers[position + 1 :], text)
        return text

    def finish(self) -> str:
        """The model stopped by itself: return what was held back and belongs to the answer."""
        return _finished(self._shapers, "")


def _finished(shapers: Sequence[Shaper], text: str) -> str:
    for shaper in shapers:
        text = shaper.feed(text)
        if not shaper.done:
            text += shaper.finish()
    return text


async def shaped(
    deltas: Deltas, new: Callable[[], Shaper], choices: int, usage: Callable[[], Usage]
) -> AsyncGenerator[Delta]:
    """Yield the shaped stream; it ends, and the upstream is aborted, when every choice is done.

    An upstream that is left early cannot tell its usage; then `usage` does.
    """
    shapers: dict[int, Shaper] = {}
    ended: set[int] = set()
    async with contextlib.aclosing(deltas):
        async for delta in deltas:
            index = delta.index
            if index in ended:
                if delta.usage is not None:
                    yield Delta(index=index, usage=delta.usage)
                continue
            shaper = shapers.get(index)
            if shaper is None:
                shaper = shapers[index] = new()
            shown = _shaped(delta, shaper)
            if shown.finish_reason is not None:
                ended.add(index)
            if shown != Delta(index=index):
                yield shown
            if delta.finish_reason is None and shaper.done and len(ended) >= choices:
                yield Delta(index=index, usage=usage())
                return
    for index in shapers.keys() - ended:
        yield Delta(text=shapers[index].finish(), index=index, finish_reason="stop")


def _shaped(delta: Delta, shaper: Shaper) -> Delta:
    text = shaper.feed(delta.text) if delta.text else ""
    finish_reason = delta.finish_reason
    if finish_reason is not None:
        text += shaper.finish()
    elif shaper.done:
        finish_reason = "stop"
    return msgspec.structs.replace(delta, text=text, finish_reason=finish_reason)
