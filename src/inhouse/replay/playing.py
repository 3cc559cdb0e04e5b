"""Play a session: type, wait, ask, hang up what is outdated, accept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from msgspec import Struct

from inhouse.core.requests import CompletionRequest
from inhouse.errors import GatewayError
from inhouse.replay.asking import Ask
from inhouse.replay.figures import Tally
from inhouse.replay.session import EDITS, KEYS, Accept, Session
from inhouse.replay.showing import left

Report = Callable[[float], None]
"""Takes the share of the session that is over."""


class Pace(Struct, frozen=True, kw_only=True):
    """How an editor asks, and how fast the session's clock goes.

    `debounce` are seconds on that clock without an event before it asks. With `speed` 2 it goes
    twice as fast as real time; with 0 it stands while a request runs and takes no time else, so
    that nothing is ever outdated. A `patient` editor does not ask while what it shows agrees with
    what is typed.
    """

    debounce: float = 0.075
    speed: float = 1.0
    patient: bool = False


class Player:
    """Plays one session once."""

    def __init__(self, session: Session, ask: Ask, pace: Pace, report: Report) -> None:
        """Send nothing yet; `ask` raises `GatewayError`."""
        self.tally = Tally()
        self._session = session
        self._ask = ask
        self._pace = pace
        self._report = report
        self._shown = ""
        self._running: asyncio.Task[None] | None = None
        self._due = 0.0

    async def play(self) -> None:
        """Play to the end, and wait for the last answer.

        Raises:
            GatewayError: a request failed before any was answered; later ones are counted.

        """
        self._due = time.monotonic()
        try:
            following = 0
            while following < len(self._session.events):
                following = await self._event(following)
                self._report(following / len(self._session.events))
            if self._running is not None:
                await self._running
        finally:
            await self._hang_up()

    async def _event(self, number: int) -> int:
        """Play one event and the time behind it; return the number of the next one."""
        event = self._session.events[number]
        if isinstance(event, Accept):
            reached = self._acceptable(number)
            if reached is None:
                await self._pause(self._gap(number))
                return number + 1
            await self._accept(number, reached)
            await self._asked(reached, self._gap(reached))
            return reached + 1
        await self._hang_up()
        self._shown = left(self._shown, event)
        self.tally.keystrokes += isinstance(event, KEYS)
        gap = self._gap(number)
        if isinstance(event, EDITS) and not (self._pace.patient and self._shown):
            await self._asked(number, gap)
        else:
            await self._pause(gap)
        return number + 1

    def _gap(self, number: int) -> float | None:
        """Return the seconds between an event and the next one, None behind the last."""
        events = self._session.events
        return None if number + 1 == len(events) else events[number + 1].at - events[number].at

    def _acceptable(self, number: int) -> int | None:
        """Return the event to which accepting leads, None where the session writes otherwise."""
        text = self._accepted(number)
        if not text:
            return None
        return self._session.reached(self._session.states[number].with_inserted(text), number)

    def _accepted(self, number: int) -> str:
        event = self._session.events[number]
        if isinstance(event, Accept) and event.part == "line":
            # A line break in front belongs to the line that is wanted.
            end = self._shown.find("\n", 1)
            return self._shown if end < 0 else self._shown[:end]
        return self._shown

    async def _accept(self, number: int, reached: int) -> None:
        """Take the suggestion: what the session typed up to `reached` is there at once."""
        text = self._accepted(number)
        await self._hang_up()
        skipped = self._session.events[number + 1 : reached + 1]
        self.tally.keystrokes += 1
        self.tally.spared += sum(isinstance(each, KEYS) for each in skipped)
        self.tally.accepted += 1
        self.tally.accepted_characters += len(text)
        self._shown = self._shown[len(text) :]

    async def _asked(self, number: int, gap: float | None) -> None:
        """Ask behind an event, unless the next one comes before the editor would."""
        debounce = self._pace.debounce
        if gap is not None and gap < debounce:
            await self._pause(gap)
            return
        await self._pause(debounce)
        self.tally.asked += 1
        self._running = asyncio.create_task(self._suggestion(number))
        if not self._pace.speed:
            await self._running
        elif gap is not None:
            await self._pause(gap - debounce)

    async def _suggestion(self, number: int) -> None:
        """Ask for what goes in behind an event, and show it."""
        session = self._session
        state = session.states[number + 1]
        request = CompletionRequest(
            prefix=state.prefix, suffix=state.suffix, path=session.head.file
        )
        began = time.perf_counter()
        try:
            found = await self._ask(request)
        except GatewayError as error:
            if not self.tally.answered:
                raise
            self.tally.failure(str(error))
            return
        milliseconds = 1000 * (time.perf_counter() - began)
        self.tally.answer(state, session.events[number].right, found, milliseconds)
        self.tally.shown += bool(found.text) and found.text != self._shown
        self._shown = found.text

    async def _hang_up(self) -> None:
        """Leave the request that runs; raises what it raised where it has ended."""
        running, self._running = self._running, None
        if running is None:
            return
        running.cancel()
        # Awaiting it would take a cancellation of ours for its own.
        await asyncio.wait([running])
        if running.cancelled():
            self.tally.hung_up += 1
        else:
            running.result()

    async def _pause(self, seconds: float | None) -> None:
        """Let time go by on the session's clock."""
        if not seconds or not self._pace.speed:
            return
        # Reckoned from the beginning, so that what takes time here does not add up.
        self._due += seconds / self._pace.speed
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
