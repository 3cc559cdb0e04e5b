"""The deltas of an answer, whether it is streamed or whole."""

from __future__ import annotations

from inhouse.core.delta import Delta
from inhouse.core.prompt import Prompt, text_of
from inhouse.providers.bedrock.failures import DIALECT, damaged, refused
from inhouse.providers.bedrock.frames import CONTENT_TYPE, DamagedError, Frames
from inhouse.providers.bedrock.question import Question, Reading
from inhouse.providers.bedrock.upstream import Upstream
from inhouse.providers.broken import broken_off, garbled
from inhouse.providers.endings import endings
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
            raise garbled(upstream, DIALECT)
        self._upstream = upstream
        self._response = response
        self._prompt = prompt
        self._frames = Frames()
        self._ours = endings(asked.kept)
        self._ended = False

    async def next(self, reading: Reading) -> list[Delta] | None:
        """Return the deltas that the next bytes complete, None behind the end."""
        if self._ended:
            return None
        data = await self._response.next()
        deltas = self._read(data, reading) if data else []
        if self._ours is not None and self._ours.done:
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
                deltas.extend(reading.event(event.kind, event.payload))
        except DamagedError as error:
            raise damaged(self._upstream, str(error)) from None
        except UNREADABLE:
            raise garbled(self._upstream, DIALECT, data) from None
        return deltas if self._ours is None else self._ours.through(deltas)


def deltas_of(upstream: Upstream, asked: Question, body: bytes) -> list[Delta]:
    """Return the deltas of a whole answer; raises UpstreamError."""
    try:
        deltas = whole(body)
    except UNREADABLE:
        raise garbled(upstream, DIALECT, body) from None
    ours = endings(asked.kept)
    return deltas if ours is None else ours.through(deltas)
