"""The deltas of an answer, whether it is streamed or whole."""

from __future__ import annotations

from collections.abc import Iterator

from inhouse.core.delta import Delta
from inhouse.core.prompt import Prompt, text_of
from inhouse.providers.bedrock.failures import broken_off, damaged, garbled, refused
from inhouse.providers.bedrock.frames import CONTENT_TYPE, DamagedError, Frames
from inhouse.providers.bedrock.question import Cut, Question, Reading
from inhouse.providers.bedrock.upstream import Upstream
from inhouse.transport import Response
from inhouse.wire.bedrock.answers import whole
from inhouse.wire.bedrock.refusals import exception
from inhouse.wire.decoding import UNREADABLE


class Events:
    """Reads the deltas of a stream as its bytes come in."""

    def __init__(
        self, upstream: Upstream, response: Response, asked: Question, prompt: Prompt
    ) -> None:
        """Read nothing yet; raises UpstreamError where the answer is no event stream."""
        if CONTENT_TYPE not in response.header("content-type"):
            raise garbled(upstream)
        self._upstream = upstream
        self._response = response
        self._prompt = prompt
        self._frames = Frames()
        self._cut = Cut(asked.kept) if asked.kept else None
        self._ended = False

    async def next(self, reading: Reading) -> list[Delta] | None:
        """Return the deltas that the next bytes complete, None behind the end."""
        if self._ended:
            return None
        data = await self._response.next()
        deltas = self._read(data, reading) if data else []
        cut = self._cut
        if cut is not None and cut.done:
            self._ended = True
        elif reading.done or not data:
            self._ended = True
            self._response.release()
            if not reading.finished:
                raise broken_off(self._upstream)
            if (usage := reading.finish()) is not None:
                deltas.append(usage)
        return deltas

    def _read(self, data: bytes, reading: Reading) -> list[Delta]:
        deltas: list[Delta] = []
        try:
            for event in self._frames.feed(data):
                if event.is_exception:
                    found = exception(event.kind, event.payload)
                    raise refused(self._upstream, found, text_of(self._prompt), lambda _: "")
                for delta in reading.event(event.kind, event.payload):
                    deltas.extend(_through(self._cut, delta))
        except DamagedError as error:
            raise damaged(self._upstream, str(error)) from None
        except UNREADABLE:
            raise garbled(self._upstream) from None
        return deltas


def deltas_of(upstream: Upstream, asked: Question, body: bytes) -> Iterator[Delta]:
    """Yield the deltas of a whole answer; raises UpstreamError."""
    try:
        deltas = whole(body)
    except UNREADABLE:
        raise garbled(upstream) from None
    cut = Cut(asked.kept) if asked.kept else None
    for delta in deltas:
        yield from _through(cut, delta)


def _through(cut: Cut | None, delta: Delta) -> list[Delta]:
    if cut is None:
        return [delta]
    return [] if cut.done else cut.through(delta)
