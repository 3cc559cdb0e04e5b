"""From ended requests to rows, lines and counters, off the hot path."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator

from inhouse.core.ports import TraceStore
from inhouse.core.trace import Trace
from inhouse.errors import StoreError
from inhouse.records.log import Log
from inhouse.records.metrics import Metrics
from inhouse.records.recording import Recording

QUEUE_LIMIT = 10_000
"""Traces that wait for the writer at most: about 10 MB, several seconds at full load."""
BATCH_LIMIT = 1_000
WRITE_EVERY = 0.25
"""Seconds between writes; a crash loses at most what came in since the last one."""


class Records:
    """Takes traces without waiting; a background task writes them in batches."""

    def __init__(self, *, store: TraceStore, log: Log, metrics: Metrics) -> None:
        """Keep the three sinks; nothing is written before `running`."""
        self._store = store
        self._queue: deque[Trace] = deque()
        self._unstored: list[Trace] = []
        self._writing = asyncio.Lock()
        self._running_requests = 0
        self.log = log
        self.metrics = metrics
        metrics.gauge(
            "inhouse_traces_queued",
            "Traces not yet written.",
            lambda: len(self._queue) + len(self._unstored),
        )
        metrics.gauge(
            "inhouse_requests_running", "Requests being answered.", lambda: self._running_requests
        )

    @property
    def running_requests(self) -> int:
        """How many requests are being answered now."""
        return self._running_requests

    def recording(self, *, request_id: str, endpoint: str) -> Recording:
        """Start the record of one request; use it as a context manager."""
        self._running_requests += 1
        return Recording(request_id=request_id, endpoint=endpoint, done=self._ended)

    def _ended(self, trace: Trace) -> None:
        self._running_requests -= 1
        if len(self._queue) >= QUEUE_LIMIT:
            self.metrics.dropped.inc()
            return
        self._queue.append(trace)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write in the background; leaving writes what is left, so that nothing is lost."""
        writer = asyncio.create_task(self._write_forever(), name="trace writer")
        try:
            yield
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            await self.flush()

    async def flush(self) -> None:
        """Write everything that has ended so far."""
        async with self._writing:
            stored = True
            while stored and (self._queue or self._unstored):
                size = min(BATCH_LIMIT, len(self._queue))
                batch = [self._queue.popleft() for _ in range(size)]
                # Shielded: a batch that is out of the queue must reach its sinks.
                writing = asyncio.ensure_future(asyncio.to_thread(self._write, batch))
                try:
                    stored = await asyncio.shield(writing)
                finally:
                    # Whoever cancels us closes the store next, so the thread must be done by then.
                    await asyncio.wait([writing])

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY)
            await self.flush()

    def _write(self, batch: list[Trace]) -> bool:
        self._tell(batch)
        rows = [*self._unstored, *batch]
        try:
            self._store.append(rows)
        except StoreError as error:
            if not self._unstored:
                # Once for as long as it is away; the gauge of queued traces tells the rest.
                self.log.failure("traces not stored", waiting=len(rows), why=str(error))
            self._unstored = rows[-QUEUE_LIMIT:]
            self.metrics.dropped.inc(len(rows) - len(self._unstored))
            return False
        except Exception as error:  # noqa: BLE001, the writer must outlive a batch that cannot be written
            self.metrics.dropped.inc(len(rows))
            self.log.defect("traces lost", error)
        self._unstored = []
        return True

    def _tell(self, batch: list[Trace]) -> None:
        """Count and log; whatever fails at that must not keep the rows from the store."""
        try:
            self.metrics.observe(batch)
            self.log.requests(batch)
        except Exception as error:  # noqa: BLE001, whatever it is, it is not the request's fault
            self.log.defect("requests not counted", error)
