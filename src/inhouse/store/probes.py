"""What probes have found out about deployments: the last report of each."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import delete, insert, select

from inhouse.errors import NotFoundError
from inhouse.store.database import Database, record
from inhouse.store.tables import deployments, probes


class Probe(Struct, frozen=True, kw_only=True):
    """A deployment's last report, made at the Unix time `at`; it says itself what it is about."""

    deployment: str
    at: float
    report: dict[str, Any]


class Probes:
    """The table of reports. Blocking, and raises `StoreError`."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database

    def save(self, deployment: str, at: float, report: dict[str, Any]) -> None:
        """Keep a report in the place of the last one.

        Raises:
            NotFoundError: there is no such deployment, or no more.

        """
        known = select(deployments.c.name).where(deployments.c.name == deployment)
        with self._database.writing() as connection:
            if connection.execute(known).first() is None:
                raise NotFoundError(f"There is no deployment '{deployment}'.", param=deployment)
            connection.execute(delete(probes).where(probes.c.deployment == deployment))
            row = {"deployment": deployment, "at": at, "report": report}
            connection.execute(insert(probes), row)

    def find(self, deployment: str) -> Probe | None:
        """Return the last report on a deployment, None where it was never probed."""
        query = select(probes).where(probes.c.deployment == deployment)
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Probe(**record(row))
