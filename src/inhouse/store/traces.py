"""The traces: one row a request, written in batches, read newest first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from inhouse.core.trace import Outcome, Trace
from inhouse.errors import NotFoundError
from inhouse.store.database import Database, record
from inhouse.store.tables import traces

SECONDS_A_DAY = 86_400
LARGEST = 2**63 - 1

_encode = msgspec.json.Encoder().encode


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
        named = sqlite.dialect(paramstyle="named")
        dialect, form = (sqlite, named) if database.sqlite else (postgresql, postgresql.dialect())
        # A batch whose commit was not confirmed comes again. The driver gets it as it is: through
        # SQLAlchemy a row costs twice as much, in a thread that requests wait for.
        statement = dialect.insert(traces).on_conflict_do_nothing()
        self._insert = str(statement.compile(dialect=form))

    def append(self, batch: Sequence[Trace]) -> None:
        """Write a batch in one transaction; a trace that is there already stays as it is."""
        if not batch:
            return
        with self._database.writing() as connection:
            connection.exec_driver_sql(self._insert, [_row(trace) for trace in batch])

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


def _row(trace: Trace) -> dict[str, Any]:
    """Return a trace as the driver takes it, without what a database cannot hold."""
    fields = msgspec.structs.asdict(trace)
    for name, value in fields.items():
        if type(value) is str and not (value.isascii() and "\0" not in value):
            fields[name] = _storable(value)
        elif type(value) is int and value > LARGEST:
            fields[name] = LARGEST
    fields["outcome"] = trace.outcome.value
    fields["deployments"] = _encode([_storable(name) for name in trace.deployments]).decode()
    fields["failures"] = _encode(trace.failures).decode()
    fields["warnings"] = _encode([_storable(text) for text in trace.warnings]).decode()
    return fields


def _storable(text: str) -> str:
    """Replace what a database cannot hold: one odd request must not block a whole batch."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _trace(row: RowMapping) -> Trace:
    columns = record(row)
    for name in ("failures", "warnings"):
        if columns[name] is None:
            del columns[name]
    return msgspec.convert(columns, Trace)
