"""What probes have found out about deployments: the last report of each."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, RowMapping, delete, insert, select

from inhouse.errors import NotFoundError
from inhouse.store.database import Database, record
from inhouse.store.tables import deployments, probes

PROBED = (deployments.c.identifier, deployments.c.endpoint, deployments.c.family)
"""What a report holds for: with another of these it says nothing any more."""


class Probe(Struct, frozen=True, kw_only=True):
    """A deployment's last report, made at the Unix time `at`.

    `outdated` says that the deployment has another identifier, endpoint or family since.
    """

    deployment: str
    at: float
    report: dict[str, Any]
    outdated: bool = False


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
        with self._database.writing() as connection:
            fingerprint = _fingerprint(connection, deployment)
            connection.execute(delete(probes).where(probes.c.deployment == deployment))
            row = {"deployment": deployment, "at": at, "fingerprint": fingerprint, "report": report}
            connection.execute(insert(probes), row)

    def find(self, deployment: str) -> Probe | None:
        """Return the last report on a deployment, None where it was never probed."""
        return self._read(deployment).get(deployment)

    def all(self) -> dict[str, Probe]:
        """Return the last report on each deployment that was ever probed, by its name."""
        return self._read(None)

    def _read(self, deployment: str | None) -> dict[str, Probe]:
        query = select(probes, *PROBED).join_from(
            probes, deployments, probes.c.deployment == deployments.c.name
        )
        if deployment is not None:
            query = query.where(probes.c.deployment == deployment)
        with self._database.reading() as connection:
            found = [_probe(row) for row in connection.execute(query).mappings()]
        return {each.deployment: each for each in found}


def _probe(row: RowMapping) -> Probe:
    columns = record(row)
    probed = [columns.pop(column.name) for column in PROBED]
    outdated = columns.pop("fingerprint") != _hash(probed)
    return Probe(**columns, outdated=outdated)


def _fingerprint(connection: Connection, deployment: str) -> str:
    query = select(*PROBED).where(deployments.c.name == deployment)
    found = connection.execute(query).first()
    if found is None:
        raise NotFoundError(f"There is no deployment '{deployment}'.", param=deployment)
    return _hash(list(found))


def _hash(probed: list[str]) -> str:
    return hashlib.sha256(msgspec.json.encode(probed)).hexdigest()
