"""An answer while it comes in."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial

from inhouse.core.delta import Delta
from inhouse.providers.anthropic.failures import DIALECT, refused
from inhouse.providers.anthropic.upstream import Upstream
from inhouse.providers.broken import broken_off, endless, garbled
from inhouse.providers.endings import Endings, watching
from inhouse.providers.events import Events
from inhouse.transport import Response
from inhouse.wire.anthropic.reading import Reading, ReportedError
from inhouse.wire.anthropic.refusals import refusal
from inhouse.wire.decoding import UNREADABLE
from inhouse.wire.sse import EventTooLargeError


async def answered(
    upstream: Upstream, response: Response, prompt: str, ours: Endings | None
) -> AsyncGenerator[Delta]:
    """Yield the deltas of an answer, the usage last; whoever leaves early hangs up.

    An answer that is left at one of `ours` tells no usage. Raises UpstreamError.
    """
    try:
        events, reading = Events(response), Reading()
        read = watching(ours, partial(_read, upstream, reading, prompt))
        while not reading.done and (found := await events.next()) is not None:
            for event in found:
                for delta in read(event):
                    yield delta
            if ours is not None and ours.done:
                return
        response.release()
        if not reading.finished:
            raise broken_off(upstream)
        if (usage := reading.finish()) is not None:
            yield usage
    except EventTooLargeError:
        raise endless(upstream) from None
    finally:
        response.abort()


def _read(upstream: Upstream, reading: Reading, prompt: str, data: bytes) -> list[Delta]:
    try:
        return reading.event(data)
    except UNREADABLE:
        raise garbled(upstream, DIALECT, data) from None
    except ReportedError as error:
        raise refused(upstream, refusal(200, error.body), prompt, lambda _: "") from None
