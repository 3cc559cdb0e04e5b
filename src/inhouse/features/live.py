"""One answer of an upstream that several requests read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from math import inf
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from inhouse.core.delta import Delta, Usage
from inhouse.errors import SupersededError, UpstreamError, UpstreamFailure
from inhouse.features.orphans import Orphans
from inhouse.records.recording import Recording
from inhouse.routing.watch import Watch

LONGEST = 65_536
"""Characters of an answer that is shared; one that goes on regardless ends there, by length."""


class Said(Struct, frozen=True):
    """What has come of an answer, and from whom."""

    text: str = ""
    finish_reason: str = ""
    deployment: str = ""
    family: str = ""


class Live:
    """An answer on its way through the request that asks for it, for others to read along.

    That request bears the cost, so it stays until the answer has ended, though its caller hangs up:
    while others read, and for a moment of grace when nobody does.
    """

    __slots__ = (
        "_caller",
        "_deltas",
        "_grace",
        "_left",
        "_orphans",
        "_over",
        "_readers",
        "_recording",
        "_size",
        "_waiting",
        "_watch",
        "ended",
        "error",
        "finish_reason",
    )

    def __init__(self, orphans: Orphans, caller: object, over: Callable[[], None]) -> None:
        """`caller` is whose it is; `over` is called once, when the answer has ended."""
        self._orphans = orphans
        self._caller = caller
        self._over = over
        self._recording: Recording | None = None
        self._watch: Watch | None = None
        self._grace = 0.0
        self._left = False
        self._readers = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._deltas: list[Delta] = []
        self._size = 0
        self.finish_reason = ""
        self.ended = False
        """Whether nothing more comes."""
        self.error: Exception | None = None

    @property
    def complete(self) -> bool:
        """Whether this is what the model has to say, and not what it got to say in its time."""
        told = self.finish_reason in {"stop", "length"}
        cut = self._recording is None or self._recording.cut
        return self.ended and self.error is None and told and not cut

    @property
    def deployment(self) -> str:
        """Who writes it, empty where that is not known yet."""
        return "" if self._recording is None else self._recording.deployment

    @property
    def said(self) -> Said:
        """What has come so far."""
        text = "".join([delta.text for delta in self._deltas])
        family = "" if self._recording is None else self._recording.family
        return Said(text, self.finish_reason, self.deployment, family)

    @property
    def unread(self) -> bool:
        """Whether its caller has hung up, and nobody reads along."""
        return self._left and not self._readers

    @property
    def doomed(self) -> bool:
        """Whether something has put an end to it that it has not come to yet."""
        return self._watch is not None and self._watch.interrupted

    def asked(self, recording: Recording, watch: Watch, grace: float) -> Self:
        """Return the block in which a request asks; it adds each delta before it hands it on.

        `grace` are the seconds that the answer goes on when nobody reads it.
        """
        self._recording, self._watch, self._grace = recording, watch, grace
        return self

    def __enter__(self) -> Self:
        """Begin: whether the caller's hang-up ends the request, is ours to tell from now on."""
        if self._recording is not None:
            self._recording.stays = self._stays
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """End; whoever reads along raises what this request does."""
        if self._recording is not None:
            self._recording.stays = None
        if isinstance(error, Exception):
            self.error = error
        elif error is not None:
            self.error = UpstreamError(
                UpstreamFailure.PROTOCOL, "The request that this answer was read along with ended."
            )
        self.ended = True
        self._orphans.release(self)
        self._over()
        self._wake()

    def add(self, delta: Delta) -> None:
        """Take a delta for those who read along."""
        self._deltas.append(delta)
        self._size += len(delta.text)
        if delta.finish_reason is not None:
            self.finish_reason = delta.finish_reason
        if self._waiting:
            self._wake()

    @property
    def too_long(self) -> bool:
        """Whether the answer goes on regardless."""
        return self._size > LONGEST and not self.finish_reason

    def cut(self, recording: Recording) -> Iterator[Delta]:
        """Yield the end of an answer that is too long."""
        usage = recording.left_early("length")
        for delta in (Delta(finish_reason="length"), Delta(usage=usage)):
            self.add(delta)
            yield delta

    def join(self) -> None:
        """Count one in who reads along."""
        self._readers += 1
        self._orphans.release(self)

    def leave(self) -> None:
        """Count one out again."""
        self._readers -= 1
        self.touch()

    def touch(self) -> None:
        """Where nobody reads, let the grace begin anew."""
        if self._left and not (self.ended or self._readers or self._spared()):
            self.abort()

    def abandon(self) -> None:
        """Nobody will read along any more who does not yet: there is no grace now."""
        self._grace = 0.0
        self.touch()

    def abort(self) -> None:
        """End the answer at once."""
        if self._watch is not None:
            self._watch.interrupt(SupersededError("Nobody waits for this answer any more."))

    def after(self, position: int) -> Delta | None:
        """Return the delta at a position, None where it has not come yet."""
        return self._deltas[position] if position < len(self._deltas) else None

    async def more(self, watch: Watch) -> None:
        """Wait until something has come; raises what interrupts `watch`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await watch.wait(future, inf, _late)

    def _stays(self) -> bool:
        """Hear that the caller has hung up; tell whether the answer goes on all the same."""
        self._left = bool(self._readers) or self._spared()
        return self._left

    def _spared(self) -> bool:
        return self._orphans.take(self, self._caller, self._grace)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


class Reader:
    """Reads along an answer from the character `start` on, from the first delta to the last.

    A context manager, and an iterator of deltas. Raises what the upstream's stream raised, and
    SupersededError where another request took the place of this one.
    """

    def __init__(self, live: Live, recording: Recording, watch: Watch, start: int) -> None:
        """`watch` interrupts this reader alone."""
        self._recording = recording
        self._live = live
        self._watch = watch
        self._skip = start
        self._at = 0
        self._begun = self._finished = False
        self._superseded: SupersededError | None = None

    def __enter__(self) -> Self:
        """Count as a reader from here on."""
        self._live.join()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Leave."""
        self._live.leave()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Delta:
        """Return the next delta that has something for this reader."""
        live = self._live
        while self._superseded is None:
            while (delta := live.after(self._at)) is not None:
                self._at += 1
                own = self._own(delta)
                if own is not None:
                    self._note(own)
                    return own
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
        if not skipped and usage is None:
            return delta
        self._skip -= skipped
        # What was not asked for again has cost nothing.
        usage = usage if usage is None else Usage()
        own = msgspec.structs.replace(delta, text=delta.text[skipped:], usage=usage)
        return None if own == Delta(index=own.index, pieces=own.pieces) else own

    def _note(self, delta: Delta) -> None:
        if not self._begun:
            self._begun = True
            said = self._live.said
            self._recording.remembers(said.deployment, said.family)
        if delta.finish_reason is not None:
            self._finished = True
            self._recording.finish_reason = delta.finish_reason


def _late() -> UpstreamError:
    """Say what cannot be: the answer keeps its own deadlines, and its readers have none."""
    return UpstreamError(UpstreamFailure.DEADLINE, "The answer has not come.")
