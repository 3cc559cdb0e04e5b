"""The traces: one row a request, written in batches, read newest first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

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


class Filter(Struct, frozen=True, kw_only=True):
    """Which traces are wanted; None means all. `since` and `until` are Unix times in seconds."""

    caller: str | None = None
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
        dialect = sqlite if database.sqlite else postgresql
        # A batch whose commit was not confirmed comes again.
        self._insert = dialect.insert(traces).on_conflict_do_nothing()

    def append(self, batch: Sequence[Trace]) -> None:
        """Write a batch in one transaction; a trace that is there already stays as it is."""
        if not batch:
            return
        with self._database.writing() as connection:
            connection.execute(self._insert, [_row(trace) for trace in batch])

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
    fields = msgspec.structs.asdict(trace)
    return {name: _storable(value) for name, value in fields.items()}


def _storable(value: object) -> object:
    """Replace what a database cannot hold: one odd request must not block a whole batch."""
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode(errors="replace").decode()
        case int():
            return min(value, LARGEST)
        case tuple():
            return [_storable(each) for each in cast("tuple[object, ...]", value)]
        case _:
            return value


def _trace(row: RowMapping) -> Trace:
    return msgspec.convert(record(row), Trace)
