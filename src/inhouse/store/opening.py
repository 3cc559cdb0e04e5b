"""Open a store: its tables, and the key that seals its secrets."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, insert, select

from inhouse.core.secret import Secret
from inhouse.errors import StoreError
from inhouse.store.database import Database
from inhouse.store.migration import migrate
from inhouse.store.sealing import Seal, make_key, read_key
from inhouse.store.tables import facts

CHECK = "seal check"
OWNER = "store"


def prepare(database: Database, *, secret: Secret | None, key_file: Path) -> Seal:
    """Migrate the store and return what opens its secrets.

    Raises:
        StoreError: the schema is newer, or the key is missing or not the store's.

    """
    migrate(database)
    with database.reading() as connection:
        check = _check(connection)
    key = secret or read_key(key_file)
    if check is not None:
        return _proven(key, check, key_file, given=bool(secret))
    seal = Seal(key or make_key(key_file))
    with database.changing() as connection:
        # Another process may have been faster, with another key.
        check = _check(connection)
        if check is None:
            value = seal.seal(Secret(CHECK), OWNER)
            connection.execute(insert(facts), {"name": CHECK, "value": value})
            return seal
    return _proven(key or read_key(key_file), check, key_file, given=bool(secret))


def _check(connection: Connection) -> str | None:
    return connection.scalar(select(facts.c.value).where(facts.c.name == CHECK))


def _proven(key: Secret | None, check: str, key_file: Path, *, given: bool) -> Seal:
    if key is None:
        raise StoreError(
            f"The store's sealing key is missing: there is no file {key_file}, and"
            " INHOUSE_SECRET_KEY is not set. Restore either; the store cannot be read without it."
        )
    seal = Seal(key)
    try:
        seal.open(check, OWNER)
    except StoreError as error:
        source = "INHOUSE_SECRET_KEY" if given else f"the key file {key_file}"
        raise StoreError(
            f"The key from {source} is not the one that this store was sealed with. Give the"
            " store its own key back; other processes on the same store need the same one."
        ) from error
    return seal
