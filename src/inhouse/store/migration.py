"""Bring a database to the schema of this version; a newer one is refused."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from inhouse.errors import StoreError
from inhouse.store.database import Database
from inhouse.store.tables import SCHEMA

FOLDER = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Create or upgrade the tables where needed; safe when several processes start at once.

    Raises:
        StoreError: the database was written by a newer version, or cannot be written.

    """
    with database.reading() as connection:
        if _schema(connection) == SCHEMA:
            return
    with database.migrating() as connection:
        _upgrade(connection, _schema(connection))


def _schema(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def _upgrade(connection: Connection, schema: str | None) -> None:
    # Imported here: it takes as long as all else, and is needed once per version.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if schema is not None and schema not in known:
        raise StoreError(
            f"The store has schema {schema}, which this version of inhouse does not know"
            f" (it writes {SCHEMA}). Install the newer inhouse again, or restore a backup."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
