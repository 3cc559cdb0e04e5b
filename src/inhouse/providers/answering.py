"""An answer of server-sent events while it comes in, whatever its dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import NamedTuple, Protocol

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta
from inhouse.providers.broken import Upstream, broken_off, endless
from inhouse.providers.connecting import blaming
from inhouse.providers.endings import Endings, Read, watching
from inhouse.providers.events import Events
from inhouse.transport import Response
from inhouse.wire.sse import EventTooLargeError


class Reading(Protocol):
    """Reads the events of one answer, in a dialect of its own."""

    @property
    def done(self) -> bool:
        """Whether the upstream has said that nothing follows."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing is missing."""
        ...

    def finish(self) -> Delta | None:
        """Return the usage as a last delta, None where the upstream told none."""
        ...


class Answer(NamedTuple):
    """An answer that has begun: `read` tells `reading` of each event, `ours` may end it."""

    upstream: Upstream
    response: Response
    reading: Reading
    read: Read
    ours: Endings | None


async def answered(
    deployment: Deployment, begin: Callable[[], Awaitable[Answer]]
) -> AsyncGenerator[Delta]:
    """Ask by `begin` and yield the deltas of the answer, the usage last; closing it hangs up.

    This is all that stands between an upstream and whoever reads: a second generator around it
    would cost each delta 0.1 us. An answer that ends by our own hand tells no usage. Raises what
    `begin` and `read` raise, and `UpstreamError` where the answer breaks off.
    """
    with blaming(deployment):
        upstream, response, reading, read, ours = await begin()
        try:
            events, read = Events(response), watching(ours, read)
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
