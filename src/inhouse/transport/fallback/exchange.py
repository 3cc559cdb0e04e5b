"""One request under way by aiohttp, and what its response may want of it meanwhile."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine

from inhouse.transport.fallback.handler import Handler
from inhouse.transport.faults import IMPROPER, STOPPING, Fault, gone, late
from inhouse.transport.limits import LINGER_SECONDS
from inhouse.transport.patience import Patience
from inhouse.transport.response import Response


class Exchange:
    """The `Line` of a response: a task that asks, and hands over what comes."""

    def __init__(self, response: Response) -> None:
        """Ask nothing yet."""
        self.response = response
        self._loop = asyncio.get_running_loop()
        self._patience = Patience(self._loop, self._overdue)
        self._reading = asyncio.Event()
        self._reading.set()
        self._handler: Handler | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work`, which uses this exchange."""
        self._task = asyncio.create_task(work, name=f"request to {self.response.place}")
        self._task.add_done_callback(lambda _: self._patience.stop())
        self.response.attach(self)
        return self._task

    # For the response.

    def pause(self) -> None:
        """Read nothing more until the reader has caught up; silence is then no fault."""
        self._reading.clear()
        self._patience.expect(self.response.expires)

    def resume(self) -> None:
        """Read on."""
        self._reading.set()
        self._wait_for_more()

    def linger(self) -> None:
        """Read the answer's end for nobody, for a second at most."""
        self._reading.set()
        self.response.expires = self._loop.time() + LINGER_SECONDS
        self._patience.expect(self.response.expires)

    def abort(self) -> None:
        """Close at once."""
        self._patience.stop()
        if self._task is not None:
            self._task.cancel()
        if self._handler is not None:
            self._handler.abort()

    # For the client.

    def on(self, handler: Handler) -> None:
        """Go on by this connection, which is about to take the request."""
        self._handler = handler
        self._patience.expect(self.response.first_by)

    async def more(self, data: bytes) -> None:
        """Hand a piece of the body over, and wait until there is room for the next."""
        self.response.received(data)
        if self._reading.is_set():
            self._wait_for_more()
        await self._reading.wait()

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session, None on a plain connection."""
        return None if self._handler is None else self._handler.tls

    def broken(self, error: Exception) -> None:
        """Tell the response why it does not go on, as far as the connection knows."""
        handler = self._handler
        if handler is None or handler.improper:
            self.fail(IMPROPER)
        else:
            why = handler.parting or error
            self.fail(gone(self.response, why, secure=handler.tls is not None))

    def stop(self) -> None:
        """Leave the upstream, since inhouse is being stopped."""
        self.fail(STOPPING)

    def fail(self, fault: Fault) -> None:
        """Close, and tell the response what the upstream did wrong."""
        self.response.fail(*fault)
        self.abort()

    def _wait_for_more(self) -> None:
        response = self.response
        deadline = self._loop.time() + response.deadlines.between_tokens
        self._patience.expect(min(deadline, response.expires))

    def _overdue(self, deadline: float) -> None:
        self.fail(late(self.response, deadline))
