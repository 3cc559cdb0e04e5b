"""The traces: one row a request, written in batches, read newest first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, delete, select, tuple_

from inhouse.core.trace import Outcome, Trace
from inhouse.errors import NotFoundError
from inhouse.store.database import Database, record
from inhouse.store.tables import traces

SECONDS_A_DAY = 86_400
LARGEST = 2**63 - 1

TEXTS = (
    "id",
    "request_id",
    "endpoint",
    "caller",
    "team",
    "user",
    "model",
    "feature",
    "outcome",
    "family",
    "finish_reason",
    "error",
    "deployments",
    "failures",
    "warnings",
)
NUMBERS = (
    "started_at",
    "status",
    "duration_ms",
    "first_delta_ms",
    "stream",
    "prompt_tokens",
    "completion_tokens",
    "deltas",
)

_encode = msgspec.json.Encoder().encode
# A member of an enum is a text to us, but drivers look long for how to write one.
_plain = str.__str__


class Filter(Struct, frozen=True, kw_only=True):
    """Which traces are wanted; None means all. `since` and `until` are Unix times in seconds."""

    caller: str | None = None
    user: str | None = None
    team: str | None = None
    model: str | None = None
    feature: str | None = None
    outcome: Outcome | None = None
    request_id: str | None = None
    since: float | None = None
    until: float | None = None


class Traces:
    """The table of traces; fills the port `TraceStore`."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database
        columns = ", ".join(f'"{name}"' for name in (*TEXTS, *NUMBERS))
        places = ", ".join(("?" if database.sqlite else "%s",) * len((*TEXTS, *NUMBERS)))
        # A batch whose commit was not confirmed comes again. The driver gets it as it is: through
        # SQLAlchemy a row costs twice as much, in a thread that requests wait for.
        self._insert = (
            f"INSERT INTO {traces.name} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608, no name comes from outside
        )

    def append(self, batch: Sequence[Trace]) -> None:
        """Write a batch in one transaction; a trace that is there already stays as it is."""
        if not batch:
            return
        rows = [_row(trace) for trace in batch]
        with self._database.writing() as connection:
            connection.exec_driver_sql(self._insert, rows)

    def list_traces(
        self, limit: int = 100, *, before: str | None = None, where: Filter | None = None
    ) -> tuple[Trace, ...]:
        """Return traces, the newest first; `before` is the id of the last one of the page before.

        Raises:
            NotFoundError: there is no trace `before`.

        """
        table = traces.c
        query = select(traces).order_by(table.started_at.desc(), table.id.desc()).limit(limit)
        wanted = msgspec.structs.asdict(where or Filter())
        since, until = wanted.pop("since"), wanted.pop("until")
        for name, value in wanted.items():
            if value is not None:
                query = query.where(table[name] == value)
        if since is not None:
            query = query.where(table.started_at >= since)
        if until is not None:
            query = query.where(table.started_at < until)
        with self._database.reading() as connection:
            if before is not None:
                place = select(table.started_at, table.id).where(table.id == before)
                found = connection.execute(place).first()
                if found is None:
                    raise NotFoundError(f"There is no trace '{before}'.", param="before")
                query = query.where(tuple_(table.started_at, table.id) < tuple_(*found))
            return tuple(_trace(row) for row in connection.execute(query).mappings())

    def prune(self, days: int) -> int:
        """Remove traces that are older than `days`, and return how many."""
        oldest = time.time() - days * SECONDS_A_DAY
        with self._database.writing() as connection:
            return connection.execute(delete(traces).where(traces.c.started_at < oldest)).rowcount


def _row(trace: Trace) -> tuple[str | float | None, ...]:
    """Return the columns `TEXTS` and `NUMBERS`, without what a database cannot hold."""
    texts = (
        trace.id,
        trace.request_id,
        trace.endpoint,
        trace.caller,
        trace.team,
        trace.user,
        trace.model,
        trace.feature,
        _plain(trace.outcome),
        trace.family,
        trace.finish_reason,
        trace.error,
        _listed(trace.deployments),
        _listed(trace.failures),
        _listed(trace.warnings),
    )
    # One look at all of them: a row has many, and nearly none is odd.
    together = "".join(texts)
    if not together.isascii() or "\0" in together:
        texts = tuple(map(_storable, texts))
    # Upstreams may count beyond what a database does.
    return (
        *texts,
        trace.started_at,
        trace.status,
        trace.duration_ms,
        trace.first_delta_ms,
        trace.stream,
        min(trace.prompt_tokens, LARGEST),
        min(trace.completion_tokens, LARGEST),
        trace.deltas,
    )


@lru_cache(1024)
def _listed(texts: tuple[str, ...]) -> str:
    return _encode([_storable(text) for text in texts]).decode()


def _storable(text: str) -> str:
    """Replace what a database cannot hold: one odd request must not block a whole batch."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _trace(row: RowMapping) -> Trace:
    columns = record(row)
    for name in ("failures", "warnings"):
        if columns[name] is None:
            del columns[name]
    return msgspec.convert(columns, Trace)
