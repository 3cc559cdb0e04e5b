"""The events of an answer, whether the upstream streams as asked or not."""

from __future__ import annotations

from inhouse.providers.connecting import LARGEST_ANSWER
from inhouse.transport import Response
from inhouse.wire.sse import Decoder


class Events:
    """Reads an answer; a whole one is a stream of a single event."""

    def __init__(self, response: Response) -> None:
        """Read nothing yet."""
        self._response = response
        self._decoder: Decoder | None = None
        self._ended = False

    async def next(self) -> list[bytes] | None:
        """Return the events that the next bytes complete, None behind the end.

        Raises:
            UpstreamError: the answer breaks off.
            EventTooLargeError: an event does not end.

        """
        if self._ended:
            return None
        data = await self._response.next()
        if self._decoder is None:
            if not _is_stream(self._response, data):
                self._ended = True
                return [data + await self._response.read(LARGEST_ANSWER)]
            self._decoder = Decoder()
        if not data:
            self._ended = True
            return self._decoder.finish()
        return self._decoder.feed(data)


def _is_stream(response: Response, data: bytes) -> bool:
    """Tell a stream from a whole answer; some upstreams mislabel one."""
    if "event-stream" in response.header("content-type"):
        return True
    return data.lstrip().startswith((b"data:", b"event:", b"id:", b":"))
