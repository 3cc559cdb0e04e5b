"""An answer of server-sent events while it comes in, whatever its dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, merged
from inhouse.errors import UpstreamError
from inhouse.providers.broken import Upstream, broken_off, endless
from inhouse.providers.connecting import LARGEST_ANSWER
from inhouse.providers.endings import Endings, Read, watching
from inhouse.transport import Response
from inhouse.wire.sse import Decoder, EventTooLargeError


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
    would cost each delta 0.5 us. An answer that ends by our own hand tells no usage. Raises what
    `begin` and `read` raise, and `UpstreamError` where the answer breaks off.
    """
    try:
        answer = await begin()
        response, intake = answer.response, _Intake(answer)
        try:
            data = await response.next()
            if not _is_stream(response, data):
                intake.whole, data = True, data + await response.read(LARGEST_ANSWER)
            while intake.wants:
                for delta in intake.take(data):
                    yield delta
                if intake.wants:
                    data = await response.next()
            if intake.cut:
                return
            usage = intake.finish()
            response.release()
            if usage is not None:
                yield usage
        finally:
            response.abort()
    except UpstreamError as error:
        error.deployment = deployment.name
        raise


class _Intake:
    """Makes deltas of an answer's bytes, as they come in.

    Tokens that came in one read are one delta: whoever is too slow for each of them alone reads
    more at once, and what a delta costs is paid once.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._read = watching(answer.ours, answer.read)
        self._decoder = Decoder()
        self._failure: UpstreamError | None = None
        self._told = False
        self.whole = False
        """Whether all of it comes at once, and is a stream of a single event."""
        self.wants = True
        """Whether there is anything to be had from what comes next."""

    @property
    def cut(self) -> bool:
        """Whether the answer ended by our own hand."""
        ours = self._answer.ours
        return ours is not None and ours.done

    def take(self, data: bytes) -> Sequence[Delta]:
        """Return what the next bytes tell, nothing of them being the end.

        Raises:
            UpstreamError: what came before ended in an error.

        """
        found: list[Delta] = []
        try:
            for event in self._events(data):
                found += self._read(event)
        except UpstreamError as error:
            self._failure = error
        except EventTooLargeError:
            self._failure = endless(self._answer.upstream)
        if self._failure is not None and not found:
            raise self._failure
        if self.whole and found:
            # With its usage it is one delta, and passes everything behind us but once.
            last, self._told = self._answer.reading.finish(), True
            found[-1] = replace(found[-1], usage=last and last.usage)
        over = self.whole or not data or self._answer.reading.done or self.cut
        self.wants = self._failure is None and not over
        return found if len(found) < 2 else merged(found)

    def finish(self) -> Delta | None:
        """Return the usage, None where the upstream told none; raises `UpstreamError`."""
        if self._failure is not None:
            raise self._failure
        if not self._answer.reading.finished:
            raise broken_off(self._answer.upstream)
        return None if self._told else self._answer.reading.finish()

    def _events(self, data: bytes) -> Sequence[bytes]:
        if self.whole:
            return (data,)
        return self._decoder.feed(data) if data else self._decoder.finish()


def _is_stream(response: Response, data: bytes) -> bool:
    """Tell a stream from a whole answer; some upstreams mislabel one."""
    if "event-stream" in response.header("content-type"):
        return True
    return data.lstrip().startswith((b"data:", b"event:", b"id:", b":"))
