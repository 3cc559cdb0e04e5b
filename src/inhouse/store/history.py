"""The revisions: every change of the registry, in order."""

from __future__ import annotations

import time

import msgspec
from sqlalchemy import Connection, RowMapping, func, insert, select

from inhouse.errors import NotFoundError
from inhouse.store.changes import Change, Revision, State, undone
from inhouse.store.database import record
from inhouse.store.tables import revisions


def newest(connection: Connection) -> int:
    """Return the number of the last revision, 0 where nothing has changed yet."""
    return connection.scalar(select(func.max(revisions.c.number))) or 0


def append(
    connection: Connection, changes: tuple[Change, ...], *, author: str, summary: str
) -> None:
    """Note a change under the next number."""
    connection.execute(
        insert(revisions),
        {
            "number": newest(connection) + 1,
            "at": time.time(),
            "author": author,
            "summary": summary,
            "changes": msgspec.to_builtins(changes),
        },
    )


def listed(connection: Connection, *, limit: int, before: int | None) -> tuple[Revision, ...]:
    """Return revisions, the newest first, below the number `before`; secrets do not show."""
    query = select(revisions).order_by(revisions.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(revisions.c.number < before)
    return tuple(_shown(row) for row in connection.execute(query).mappings())


def one(connection: Connection, number: int) -> Revision:
    """Return one revision; raises `NotFoundError`."""
    query = select(revisions).where(revisions.c.number == number)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(
            f"There is no revision {number}; the newest is {newest(connection)}.", param="revision"
        )
    return _shown(row)


def state_at(connection: Connection, number: int, state: State) -> State:
    """Return the registry as revision `number` left it; `state` is the present one."""
    if number != 0:
        one(connection, number)
    later = (
        select(revisions.c.changes)
        .where(revisions.c.number > number)
        .order_by(revisions.c.number.desc())
    )
    for changes in connection.scalars(later):
        state = undone(state, msgspec.convert(changes, tuple[Change, ...]))
    return state


def _shown(row: RowMapping) -> Revision:
    revision = msgspec.convert(record(row), Revision)
    shown = tuple(change.shown() for change in revision.changes)
    return msgspec.structs.replace(revision, changes=shown)
