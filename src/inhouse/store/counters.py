"""What was used of each limit in a minute, over all processes that share the store."""

from __future__ import annotations

import time

from sqlalchemy import Connection, case, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from inhouse.store.database import Database
from inhouse.store.tables import minute_counts

COUNTS = minute_counts.c
KEPT_MINUTES = 10
"""More than clocks of several machines differ."""


class Counters:
    """The table of counts; fills the port `Counters`. Blocking, and raises `StoreError`.

    A `subject` is what is limited and of whom, a `minute` the Unix time in whole minutes, and a
    unit a request or a token.
    """

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database
        dialect = sqlite if database.sqlite else postgresql
        fresh = dialect.insert(minute_counts)
        self._charge = fresh.on_conflict_do_update(
            index_elements=[COUNTS.minute, COUNTS.subject],
            set_={"granted": COUNTS.granted + fresh.excluded.granted},
        ).returning(COUNTS.granted)

    def take(self, subject: str, minute: int, wanted: int, limit: int) -> int:
        """Grant up to `wanted` units, so that all grants of the minute stay within `limit`.

        Returns how many, 0 where nothing is left.
        """
        with self._database.writing() as connection:
            # Nobody else gets at the row from here to the end of the transaction.
            granted = self._add(connection, subject, minute, 0)
            taken = max(0, min(wanted, limit - granted))
            if taken:
                self._add(connection, subject, minute, taken)
        return taken

    def charge(self, subject: str, minute: int, units: int) -> None:
        """Note units that were used without having been granted, beyond the limit if need be."""
        with self._database.writing() as connection:
            self._add(connection, subject, minute, units)

    def give_back(self, subject: str, minute: int, units: int) -> None:
        """Return granted units that were not used; what was never granted cannot be given back."""
        less = COUNTS.granted - units
        with self._database.writing() as connection:
            connection.execute(
                update(minute_counts)
                .where(COUNTS.minute == minute, COUNTS.subject == subject)
                .values(granted=case((less > 0, less), else_=0))
            )

    def prune(self, minutes: int = KEPT_MINUTES) -> int:
        """Remove the counts of minutes that are longer ago, and return how many."""
        oldest = int(time.time() // 60) - minutes
        with self._database.writing() as connection:
            return connection.execute(delete(minute_counts).where(COUNTS.minute < oldest)).rowcount

    def _add(self, connection: Connection, subject: str, minute: int, units: int) -> int:
        """Add units to a count, lock it, and return what it is then."""
        values = {"subject": subject, "minute": minute, "granted": units}
        return connection.execute(self._charge, values).scalar_one()
