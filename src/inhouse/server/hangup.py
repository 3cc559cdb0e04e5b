"""Notice at once when the caller hangs up, and stop the work done for it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from inhouse.server.asgi import Receive


class Hangup:
    """Cancels the task inside its block when the caller hangs up, and absorbs that cancellation.

    Other cancellations pass. Inside the block everything sees a plain `asyncio.CancelledError`,
    in whatever phase the request is; `watch` starts once the body has been read, since only one
    may wait for what the caller sends.
    """

    __slots__ = ("_receive", "_task", "_watcher", "happened")

    def __init__(self, receive: Receive) -> None:
        """Listen on the request's `receive`."""
        self._receive = receive
        self._task: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.happened = False

    def __enter__(self) -> Self:
        """Remember whom to cancel."""
        self._task = asyncio.current_task()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> bool:
        """Stop watching; absorb the cancellation where it was ours."""
        watcher, task = self._watcher, self._task
        # A cancelled task knows its frames, and they know us: each request would leave a circle of
        # thirty objects for the garbage collector, a tenth of its cost.
        self._watcher = self._task = None
        if watcher is not None:
            watcher.cancel()
        if not self.happened:
            return False
        if task is not None:
            task.uncancel()
        return kind is not None and issubclass(kind, asyncio.CancelledError)

    def watch(self) -> None:
        """Start to wait for the hang-up."""
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def strike(self) -> None:
        """The caller has hung up: cancel the task."""
        self.happened = True
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.strike()
