"""An answer while it comes in: its deltas, and where it is left."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import msgspec

from inhouse.core.delta import Delta
from inhouse.core.stops import Stops
from inhouse.providers.anthropic.failures import broken_off, garbled, refused
from inhouse.providers.anthropic.upstream import Upstream
from inhouse.providers.events import Events
from inhouse.wire.anthropic.reading import Reading, ReportedError
from inhouse.wire.anthropic.refusals import refusal
from inhouse.wire.decoding import UNREADABLE


async def answered(
    upstream: Upstream, events: Events, reading: Reading, prompt: str
) -> AsyncGenerator[Delta]:
    """Yield the deltas of an answer, the usage last; raises UpstreamError where it breaks off."""
    while not reading.done and (found := await events.next()) is not None:
        for event in found:
            for delta in _read(upstream, reading, event, prompt):
                yield delta
    if not reading.finished:
        raise broken_off(upstream)
    if (usage := reading.finish()) is not None:
        yield usage


def _read(upstream: Upstream, reading: Reading, data: bytes, prompt: str) -> list[Delta]:
    try:
        return reading.event(data)
    except UNREADABLE:
        raise garbled(upstream, data) from None
    except ReportedError as error:
        raise refused(upstream, refusal(200, error.body), prompt, lambda _: "") from None


async def stopped(deltas: AsyncGenerator[Delta], stops: Stops) -> AsyncGenerator[Delta]:
    """Yield an answer up to a stop sequence; whoever leaves there does not learn the usage."""
    async with contextlib.aclosing(deltas):
        async for delta in deltas:
            text = stops.feed(delta.text) if delta.text else ""
            if stops.done:
                yield Delta(text=text, finish_reason="stop")
                return
            if delta.finish_reason is not None:
                text += stops.finish()
            shown = msgspec.structs.replace(delta, text=text)
            if shown != Delta():
                yield shown
