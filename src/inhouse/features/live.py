"""One answer of an upstream that several requests read, each at its own pace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from math import inf
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from inhouse.core.delta import Delta, Deltas, Usage
from inhouse.errors import SupersededError, UpstreamError, UpstreamFailure
from inhouse.records.recording import Recording
from inhouse.routing.watch import Watch

LONGEST = 65_536
"""Characters of an answer that is shared; one that goes on regardless ends there, by length."""

Make = Callable[[Recording, Watch], Deltas]
"""Asks an upstream; the recording learns what that costs."""


class Said(Struct, frozen=True):
    """What has come of an answer, and from whom."""

    text: str = ""
    finish_reason: str = ""
    deployment: str = ""
    family: str = ""


class Live:
    """Takes the deltas of one answer for whoever reads it; aborted when the last reader leaves.

    It belongs to no request, so that each may leave without the others.
    """

    def __init__(self, make: Make, began: float, over: Callable[[], None]) -> None:
        """Begin to ask; `began` is when the request came, in the loop's time.

        `over` is called once, when the answer has ended or is aborted.
        """
        self.recording = Recording(request_id="", endpoint="", done=_unrecorded)
        self.deltas: list[Delta] = []
        self.text = ""
        self.finish_reason = ""
        self.ended = False
        """Whether nothing more comes."""
        self.error: Exception | None = None
        self._over = over
        self._readers: list[Reader] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._borne = False
        self._task = asyncio.create_task(self._take(make, began), name="shared answer")

    @property
    def complete(self) -> bool:
        """Whether this is what the model has to say, and not what it got to say in its time."""
        told = self.finish_reason in {"stop", "length"}
        return self.ended and self.error is None and told and not self.recording.cut

    @property
    def said(self) -> Said:
        """What has come so far."""
        told = self.recording
        return Said(self.text, self.finish_reason, told.deployment, told.family)

    def join(self, reader: Reader) -> None:
        """Count a reader in."""
        self._readers.append(reader)

    async def leave(self, reader: Reader) -> None:
        """Count a reader out, and abort the upstream where it was the last."""
        self._readers.remove(reader)
        try:
            if not self._readers and not self.ended:
                self._end()
                self._task.cancel()
                await asyncio.wait({self._task})
        finally:
            self._charge(reader)

    async def more(self, watch: Watch) -> None:
        """Wait until something has come; raises what interrupts `watch`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await watch.wait(future, inf, _late)

    async def _take(self, make: Make, began: float) -> None:
        watch = Watch()
        watch.began = began
        try:
            async with contextlib.aclosing(make(self.recording, watch)) as deltas:
                async for delta in deltas:
                    self._add(delta)
                    if len(self.text) > LONGEST and not self.finish_reason:
                        self._add(Delta(finish_reason="length"))
                        self._add(Delta(usage=self.recording.left_early("length")))
                        break
        except Exception as error:  # noqa: BLE001 -- each reader raises it
            self.error = error
        finally:
            watch.close()
            self._end()

    def _add(self, delta: Delta) -> None:
        self.deltas.append(delta)
        self.text += delta.text
        self.finish_reason = delta.finish_reason or self.finish_reason
        self._wake()

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self._over()
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _charge(self, reader: Reader) -> None:
        """Have one request bear the cost: the one that asked, else the first to see the end."""
        alone = reader.asked or not any(each.asked for each in self._readers)
        if self.ended and alone and not self._borne:
            self._borne = True
            reader.recording.bears(self.recording)
        elif reader.asked:
            reader.recording.asked(self.recording)


class Reader:
    """Reads an answer from the character `start` on, from the first delta to the last.

    An async context manager, and an iterator of deltas. Raises what the upstream's stream raised,
    and SupersededError where another request took the place of this one.
    """

    def __init__(
        self, live: Live, recording: Recording, watch: Watch, start: int, *, asked: bool
    ) -> None:
        """`watch` interrupts this reader alone; `asked` says that it is why there is an answer."""
        self.recording = recording
        self.asked = asked
        self._live = live
        self._watch = watch
        self._skip = start
        self._at = 0
        self._begun = self._finished = False
        self._superseded: SupersededError | None = None

    async def __aenter__(self) -> Self:
        """Count as a reader from here on."""
        self._live.join(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Leave."""
        await self._live.leave(self)

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Delta:
        """Return the next delta that has something for this reader."""
        live = self._live
        while self._superseded is None:
            while self._at < len(live.deltas):
                delta = self._own(live.deltas[self._at])
                self._at += 1
                if delta is not None:
                    self._note(delta)
                    return delta
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
        skipped = min(self._skip, len(delta.text))
        usage = delta.usage
        if not skipped and (usage is None or self.asked):
            return delta
        self._skip -= skipped
        # What was not asked for again has cost nothing.
        usage = usage if usage is None or self.asked else Usage()
        own = msgspec.structs.replace(delta, text=delta.text[skipped:], usage=usage)
        return None if own == Delta() else own

    def _note(self, delta: Delta) -> None:
        if not self._begun:
            self._begun = True
            if self.asked:
                self.recording.asked(self._live.recording)
            else:
                said = self._live.said
                self.recording.remembers(said.deployment, said.family)
        if delta.finish_reason is not None:
            self._finished = True
            self.recording.finish_reason = delta.finish_reason


def _unrecorded(trace: object) -> None:
    """Drop it: the requests that read along leave the traces."""
    del trace


def _late() -> UpstreamError:
    """Say what cannot be: the answer keeps its own deadlines, and its readers have none."""
    return UpstreamError(UpstreamFailure.DEADLINE, "The answer has not come.")
