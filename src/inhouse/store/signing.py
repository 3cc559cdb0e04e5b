"""The keys by which we sign tokens: the same for all processes on one store."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select

from inhouse.core.secret import Secret
from inhouse.store.database import Database
from inhouse.store.sealing import Seal
from inhouse.store.tables import signing_keys


class SigningKey(Struct, frozen=True, kw_only=True):
    """A private key as PEM, made at the Unix time `created_at`; `id` names it in tokens."""

    id: str
    created_at: float
    private_key: Secret


class SigningKeys:
    """The table of keys. Blocking, and raises `StoreError`."""

    def __init__(self, database: Database, seal: Seal) -> None:
        """Keep the database, and what opens its secrets."""
        self._database = database
        self._seal = seal

    def load(self) -> tuple[SigningKey, ...]:
        """Return all keys, the newest first."""
        with self._database.reading() as connection:
            return self._all(connection)

    def renew(
        self,
        key_id: str,
        private_key: Secret,
        *,
        created_at: float,
        fresh_since: float,
        keep_since: float,
    ) -> tuple[SigningKey, ...]:
        """Add a key unless another process has made one after `fresh_since`; return all.

        Those made before `keep_since` are removed.
        """
        keys = signing_keys.c
        with self._database.changing() as connection:
            connection.execute(delete(signing_keys).where(keys.created_at < keep_since))
            fresh = select(keys.id).where(keys.created_at > fresh_since)
            if connection.execute(fresh).first() is None:
                sealed = self._seal.seal(private_key, _owner(key_id))
                row = {"id": key_id, "created_at": created_at, "private_key": sealed}
                connection.execute(insert(signing_keys), row)
            return self._all(connection)

    def _all(self, connection: Connection) -> tuple[SigningKey, ...]:
        newest = select(signing_keys).order_by(signing_keys.c.created_at.desc(), signing_keys.c.id)
        return tuple(
            SigningKey(
                id=row["id"],
                created_at=row["created_at"],
                private_key=self._seal.open(row["private_key"], _owner(row["id"])),
            )
            for row in connection.execute(newest).mappings()
        )


def _owner(key_id: str) -> str:
    return f"the signing key {key_id}"
