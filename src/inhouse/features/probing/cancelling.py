"""Does generation stop when the caller leaves? The upstream's own counters tell.

A hang-up is judged by the tokens that were generated behind it. Where nothing is counted, a short
request that has to wait behind the abandoned one is a sign that it goes on; that none waits proves
nothing, since most upstreams answer several at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Generated
from inhouse.core.prompt import Prompt, Text
from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.features.probing.evidence import Cancelling, Evidence, Hangup, Skipped
from inhouse.features.probing.subject import Subject, question

MOST_TOKENS = 2000
SOME_DELTAS = 8
"""Pieces that are awaited before the hang-up, so that the upstream is in full swing."""
LOOK_EVERY = 0.2
SETTLE_SECONDS = 4.0
"""Seconds in which an upstream must have noticed."""
BEGIN_SECONDS = 5.0
SLOWER = 5.0
SLOWER_MILLISECONDS = 2000.0
"""A short request that takes that many times longer, and this longer, has waited for another."""
LONG_QUESTION = "Count from one to one thousand in words, separated by commas."
LONG_TEXT = "# The numbers from 1 to 1000, one a line\n1\n2\n3\n"
BUSY = "Others use the upstream at this moment, so its counters do not tell."
STILL = "Not observable: the upstream's counters do not move while it generates."
OVER = "The answer was over before it could be left."


@runtime_checkable
class Counting(Protocol):
    """A provider that can read how much its upstream has generated."""

    async def generated(self, deployment: Deployment) -> Generated | None:
        """Return the upstream's counters, None where it publishes none; raises `UpstreamError`."""
        ...


async def measure(subject: Subject, evidence: Evidence) -> Cancelling | Skipped:
    """Leave a streamed answer and a whole one, and see what the upstream does."""
    if subject.native:
        return Skipped("An index answers in one piece.")
    answered = [each for each in (evidence.chat, evidence.completion) if each and not each.error]
    if not answered:
        return Skipped("It answers nothing.")
    measured = evidence.window.accepted if evidence.window is not None else 0
    window = measured or subject.family.window
    leaving = _Leaving(subject, window, chat=answered[0] is evidence.chat)
    if await leaving.counters() is None:
        streamed = await leaving.queued()
        return Cancelling(streamed=streamed, whole=Hangup(stopped=None, why=streamed.why))
    return Cancelling(streamed=await leaving.counted(), whole=await leaving.counted(whole=True))


class _Leaving:
    """Asks for long answers and hangs up."""

    def __init__(self, subject: Subject, window: int, *, chat: bool) -> None:
        self._subject = subject
        self._prompt: Prompt = question(LONG_QUESTION) if chat else Text(LONG_TEXT)
        self._asked = min(MOST_TOKENS, window // 2)

    async def counters(self) -> Generated | None:
        provider = self._subject.provider
        if not isinstance(provider, Counting):
            return None
        try:
            return await provider.generated(self._subject.deployment)
        except UpstreamError:
            return None

    async def counted(self, *, whole: bool = False) -> Hangup:
        """Hang up in the middle of an answer; count what is generated behind that."""
        before = await self._idle()
        if before is None:
            return Hangup(stopped=None, asked=self._asked, why=BUSY)
        # Engines that count know this field; without it a small model may end at once.
        extra = {"ignore_eos": True}
        params = Params(max_tokens=self._asked, whole=whole, extra=extra)
        try:
            left = await (self._leave_whole(params, before) if whole else self._leave(params))
        except UpstreamError as error:
            if error.failure is not UpstreamFailure.CONTEXT_LENGTH or self._asked < 2 * SOME_DELTAS:
                raise
            self._asked //= 2
            return await self.counted(whole=whole)
        at = await self.counters()
        if not left or at is None:
            return Hangup(stopped=None, asked=self._asked, why=OVER)
        return await self._judged(before, at)

    async def queued(self) -> Hangup:
        """Hang up where nothing is counted; see whether the next answer has to wait."""
        short = Params(max_tokens=4)
        usual = await self._subject.ask(self._prompt, short)
        if not await self._leave(Params(max_tokens=self._asked), deltas=1):
            return Hangup(stopped=None, asked=self._asked, why=OVER)
        waited = await self._subject.ask(self._prompt, short)
        slower = waited.milliseconds > SLOWER * usual.milliseconds + SLOWER_MILLISECONDS
        return Hangup(
            stopped=False if slower else None,
            asked=self._asked,
            why=f"The next short answer took {waited.milliseconds / 1000:.1f} s instead of"
            f" {usual.milliseconds / 1000:.1f} s."
            if slower
            else "Not observable: the upstream publishes no count of tokens.",
        )

    async def _idle(self) -> Generated | None:
        """Return the counters of an upstream that answers nobody else, None where it is busy."""
        end = time.monotonic() + BEGIN_SECONDS
        while time.monotonic() < end:
            found = await self.counters()
            if found is not None and not found.running:
                return found
            await asyncio.sleep(LOOK_EVERY)
        return None

    async def _leave(self, params: Params, deltas: int = SOME_DELTAS) -> bool:
        """Leave a stream behind some pieces; return whether there was something to leave."""
        seen = 0
        async with contextlib.aclosing(self._stream(params)) as stream:
            async for delta in stream:
                seen += delta.pieces if delta.text or delta.reasoning else 0
                if delta.finish_reason is not None:
                    return False
                if seen >= deltas:
                    return True
        return False

    async def _leave_whole(self, params: Params, before: Generated) -> bool:
        """Leave an answer that comes in one piece, once the upstream is at it."""
        task = asyncio.create_task(self._read(params))
        end = time.monotonic() + BEGIN_SECONDS
        try:
            while not task.done() and time.monotonic() < end:
                now = await self.counters()
                if now is not None and now.running and now.tokens > before.tokens + 1:
                    break
                await asyncio.wait({task}, timeout=LOOK_EVERY / 4)
            begun = not task.done()
        finally:
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()
        return begun

    async def _read(self, params: Params) -> None:
        async with contextlib.aclosing(self._stream(params)) as stream:
            async for _ in stream:
                pass

    async def _judged(self, before: Generated, at: Generated) -> Hangup:
        """Watch the counters until they stand still, or patience ends."""
        if at.tokens <= before.tokens:
            return Hangup(stopped=None, asked=self._asked, why=STILL)
        end = time.monotonic() + SETTLE_SECONDS
        last, still = at, False
        while not still and time.monotonic() < end:
            await asyncio.sleep(LOOK_EVERY)
            now = await self.counters() or last
            still = not now.running and now.tokens == last.tokens
            last = now
        after = last.tokens - at.tokens
        if after < 0:
            why = "The counters went back: are there several replicas behind one address?"
            return Hangup(stopped=None, asked=self._asked, why=why)
        remaining = self._asked - (at.tokens - before.tokens)
        stopped = still and after < max(1.0, remaining / 2)
        return Hangup(stopped=stopped, asked=self._asked, after=after)

    def _stream(self, params: Params) -> AsyncGenerator[Delta]:
        return self._subject.stream(self._prompt, msgspec.structs.replace(params, temperature=0.0))
