"""Wait on behalf of one request: until a time is up, or somebody interrupts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from typing import TypeVar

from inhouse.errors import InhouseError

Result = TypeVar("Result")


class Watch:
    """Ends the waits of one request, and tells why.

    It keeps one timer, armed for the earliest time so far and set again when it goes off too early:
    a stream moves its time with each delta, and timers hardly ever.
    """

    __slots__ = (
        "_armed",
        "_cancelling",
        "_late",
        "_loop",
        "_struck",
        "_task",
        "_timer",
        "_until",
        "began",
        "interrupted",
        "now",
    )

    def __init__(self) -> None:
        """Start the clock; belongs to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._until = inf
        self._late: Callable[[], InhouseError] | None = None
        self._struck: InhouseError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed = inf
        self.now = self._loop.time
        """Returns the loop's time."""
        self.began = self.now()
        """The loop's time at which the request came."""
        self.interrupted = False
        """Whether somebody has interrupted, ever."""

    async def wait(
        self, what: Awaitable[Result], until: float, late: Callable[[], InhouseError]
    ) -> Result:
        """Return what is waited for.

        At the loop's time `until` the wait is cancelled, and `late()` raised; an interruption is
        raised likewise. A cancellation from elsewhere passes as one. What is late before it begins
        does not begin.
        """
        try:
            self.begin(until, late)
        except InhouseError:
            _drop(what)
            raise
        try:
            return await what
        except asyncio.CancelledError as cancelled:
            if (struck := self.struck(cancelled)) is None:
                raise
            raise struck from None
        finally:
            self.rest()

    def begin(self, until: float, late: Callable[[], InhouseError]) -> None:
        """Watch over what the running task awaits from now on, until `rest`.

        Whoever begins asks `struck` about a cancellation. Raises what `wait` would.
        """
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("A watch waits within a task.")
        struck = self._struck
        if struck is None and until <= self.now():
            struck = late()
        if struck is not None:
            # What is there already would be returned, and a cancellation hit some other wait.
            self._struck = None
            raise struck
        self._cancelling = task.cancelling()
        self._task, self._until, self._late = task, until, late
        if until < self._armed:
            self._arm(until)

    def rest(self) -> None:
        """Watch over nothing: whatever is awaited is somebody else's affair."""
        self._task = None

    def struck(self, cancelled: BaseException | None) -> InhouseError | None:
        """Return what to raise instead of a cancellation that was ours, None where it was not."""
        task, struck = self._task, self._struck
        if task is None or struck is None or not isinstance(cancelled, asyncio.CancelledError):
            return None
        if task.uncancel() > self._cancelling:
            return None
        self._struck = None
        return struck

    def interrupt(self, error: InhouseError) -> None:
        """End the present wait, or the next one, by raising `error` there."""
        self.interrupted = True
        self._strike(error)

    def close(self) -> None:
        """Stop the timer; nothing is waited for any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._late = None

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = when
        self._timer = self._loop.call_at(when, self._due)

    def _due(self) -> None:
        self._timer = None
        self._armed = inf
        if self._task is None:
            return
        if self.now() < self._until:
            self._arm(self._until)
        elif self._late is not None:
            self._strike(self._late())

    def _strike(self, error: InhouseError) -> None:
        if self._struck is None:
            self._struck = error
            if self._task is not None:
                self._task.cancel()


def _drop(what: Awaitable[object]) -> None:
    """End what nobody waits for."""
    if isinstance(what, asyncio.Future):
        what.cancel()
    elif isinstance(what, Coroutine):
        what.close()
