"""One answer of an upstream that several requests read, each at its own pace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from inhouse.core.delta import Delta, Deltas, Usage
from inhouse.errors import SupersededError, UpstreamError, UpstreamFailure
from inhouse.records.recording import Recording
from inhouse.routing.watch import Watch

LONGEST = 65_536
"""Characters of an answer that is shared; one that goes on regardless ends there, by length."""
PATIENCE = 7200.0
"""Seconds that a reader waits for a delta: more than any deadline, and those the stream keeps."""

Make = Callable[[Recording, Watch], Deltas]
"""Asks an upstream; the recording learns what that costs."""


class Live:
    """Takes the deltas of one answer for whoever reads it; aborted when the last reader leaves.

    It belongs to no request, so that each may leave without the others. What it cost is borne by
    the earliest reader that is still there; the next one bears what comes after that one has left.
    """

    def __init__(self, make: Make, began: float, over: Callable[[Live], None]) -> None:
        """Begin to ask; `began` is when the request came, in the loop's time.

        `over` is called once, when the answer has ended or is aborted.
        """
        self.recording = Recording(request_id="", endpoint="", done=_unrecorded)
        self.deltas: list[Delta] = []
        self.text = ""
        self.ended = False
        """Whether nothing more comes."""
        self.error: Exception | None = None
        self._finish_reason = ""
        self._over = over
        self._readers: list[Reader] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._borne = (Usage(), 0)
        self._task = asyncio.create_task(self._take(make, began), name="shared answer")

    @property
    def whole(self) -> bool:
        """Whether this is what the model has to say, and not what it got to say in its time."""
        finished = self.ended and self.error is None and bool(self._finish_reason)
        return finished and not self.recording.cut

    def join(self, reader: Reader) -> None:
        """Count a reader in."""
        self._readers.append(reader)

    async def leave(self, reader: Reader) -> None:
        """Count a reader out, and abort the upstream where it was the last."""
        bears = self.borne_by(reader)
        self._readers.remove(reader)
        try:
            if not self._readers and not self.ended:
                self.ended = True
                self._task.cancel()
                self._over(self)
                await asyncio.wait({self._task})
        finally:
            self._tell(reader, bears=bears)
            if bears:
                self._borne = (self.recording.usage, self.recording.deltas)
            if not self._readers and self.whole:
                # Nobody needs to know any more in which pieces it came.
                self.deltas = [
                    Delta(text=self.text, finish_reason=self._finish_reason),
                    Delta(usage=Usage()),
                ]

    def borne_by(self, reader: Reader) -> bool:
        """Tell whether this reader's request bears what the answer costs."""
        return reader.early and self._readers[0] is reader

    def identify(self, reader: Reader) -> None:
        """Note with a reader's request who answers."""
        self._tell(reader, bears=self.borne_by(reader))

    async def more(self, watch: Watch) -> None:
        """Wait until something has come; raises as `Watch.wait` does."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await watch.wait(future, watch.began + PATIENCE, _late)

    async def _take(self, make: Make, began: float) -> None:
        watch = Watch()
        watch.began = began
        try:
            async with contextlib.aclosing(make(self.recording, watch)) as deltas:
                async for delta in deltas:
                    self._add(delta)
                    if len(self.text) > LONGEST and not self._finish_reason:
                        self._add(Delta(finish_reason="length"))
                        self._add(Delta(usage=self.recording.left_early("length")))
                        break
        except Exception as error:  # noqa: BLE001 -- each reader raises it
            self.error = error
        finally:
            watch.close()
            if not self.ended:
                self.ended = True
                self._over(self)
            self._wake()

    def _add(self, delta: Delta) -> None:
        self.deltas.append(delta)
        self.text += delta.text
        self._finish_reason = delta.finish_reason or self._finish_reason
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _tell(self, reader: Reader, *, bears: bool) -> None:
        if bears:
            reader.recording.bears(self.recording, *self._borne)
        else:
            reader.recording.shares(self.recording)


class Reader:
    """Reads an answer from the character `start` to `stop`, from wherever it has got to by now.

    An async context manager, and an iterator of deltas. Raises what the upstream's stream raised,
    and SupersededError where another request took the place of this one.
    """

    def __init__(
        self,
        live: Live,
        recording: Recording,
        watch: Watch,
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        """`watch` interrupts this reader alone."""
        self.live = live
        self.recording = recording
        self.early = not live.ended
        """Whether the answer was under way."""
        self._watch = watch
        self._start = start
        self._stop = stop
        self._at = 0
        self._seen = 0
        self._begun = self._finished = False
        self._superseded: SupersededError | None = None

    async def __aenter__(self) -> Self:
        """Count as a reader from here on."""
        self.live.join(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Leave."""
        await self.live.leave(self)

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Delta:
        """Return the next delta that has something for this reader."""
        live = self.live
        while self._superseded is None:
            while self._at < len(live.deltas):
                delta = self._own(live.deltas[self._at])
                self._at += 1
                if delta is not None:
                    return self._noted(delta)
            if live.error is not None:
                raise live.error
            if live.ended:
                raise StopAsyncIteration
            try:
                await live.more(self._watch)
            except SupersededError as error:
                self._superseded = error
                if self._begun and not self._finished:
                    return Delta(finish_reason="stop")
        raise self._superseded

    def _own(self, delta: Delta) -> Delta | None:
        """Return what this reader gets of a delta, None where that is nothing."""
        begin = self._seen
        self._seen += len(delta.text)
        text = delta.text[max(0, self._start - begin) :]
        if self._stop is not None:
            text = delta.text[max(0, self._start - begin) : max(0, self._stop - begin)]
        usage = delta.usage
        if usage is not None and not self.live.borne_by(self):
            usage = Usage()
        if text == delta.text and usage is delta.usage:
            return delta
        own = msgspec.structs.replace(delta, text=text, usage=usage)
        return None if own == Delta() else own

    def _noted(self, delta: Delta) -> Delta:
        recording = self.recording
        if not self._begun:
            self._begun = True
            self.live.identify(self)
            if recording.first_delta is None:
                recording.first_delta = time.perf_counter()
        if delta.finish_reason is not None:
            self._finished = True
            recording.finish_reason = delta.finish_reason
        return delta


def _unrecorded(trace: object) -> None:
    """Drop it: the requests that read along leave the traces."""
    del trace


def _late() -> UpstreamError:
    return UpstreamError(UpstreamFailure.DEADLINE, "The answer has not come within two hours.")
