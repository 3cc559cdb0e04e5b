"""Connections to SQLite or PostgreSQL that behave alike, and errors that people can read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from inhouse.errors import StoreError
from inhouse.store import files
from inhouse.store.tables import revisions

WAIT_SECONDS = 10
"""How long a writer waits for another one, or for a server that does not answer."""


class Database:
    """One database; a SQLite file is made where it is missing, readable by its owner alone."""

    def __init__(self, url: str) -> None:
        """Prepare connections, without opening one; raises `StoreError` for an unusable URL."""
        self._url = _parsed(url)
        self.sqlite = self._url.get_backend_name() == "sqlite"
        if self.sqlite:
            _make_file(self._url)
        self._file = self._present()
        self._engine = _sqlite(self._url) if self.sqlite else _postgres(self._url)

    @contextlib.contextmanager
    def reading(self) -> Generator[Connection]:
        """Open a transaction that sees one state of all tables."""
        self._check_present()
        with self._translated(), self._engine.connect() as connection:
            begin = "BEGIN" if self.sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
            connection.exec_driver_sql(begin)
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Generator[Connection]:
        """Open a transaction that is committed at the end of the block."""
        self._check_present()
        with self._translated(), self._engine.connect() as connection:
            if self.sqlite:
                # A deferred transaction that writes later could fail instead of waiting.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            yield connection
            connection.commit()

    @contextlib.contextmanager
    def changing(self) -> Generator[Connection]:
        """Open a writing transaction on the registry: one at a time over all processes."""
        with self.writing() as connection:
            if not self.sqlite:
                mode = "SHARE ROW EXCLUSIVE MODE"
                connection.execute(text(f"LOCK TABLE {revisions.name} IN {mode}"))
            yield connection

    @contextlib.contextmanager
    def migrating(self) -> Generator[Connection]:
        """Open a writing transaction on the schema: one at a time over all processes."""
        with self.writing() as connection:
            if not self.sqlite:
                lock = "SELECT pg_advisory_xact_lock(hashtext('inhouse migration'))"
                connection.execute(text(lock))
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _present(self) -> tuple[int, int] | None:
        """Return what tells SQLite's file from others, None where there is none."""
        try:
            found = Path(self._url.database or "").stat() if self.sqlite else None
        except OSError:
            return None
        return found and (found.st_dev, found.st_ino)

    def _check_present(self) -> None:
        # SQLite goes on with a deleted file as if nothing were, and all of it is lost at the end.
        if self._present() != self._file:
            raise StoreError(
                f"The store {self._url.database} was removed or replaced while it is in use;"
                " put the file back, or restart inhouse."
            )

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            # The driver's own words: SQLAlchemy's would add the statement and its values.
            cause = str(getattr(error, "orig", None) or type(error).__name__).strip()
            shown = self._url.render_as_string(hide_password=True)
            raise StoreError(f"The store {shown} refuses: {cause}") from error


def record(row: RowMapping) -> dict[str, Any]:
    """Return a row by column name."""
    # SQLAlchemy's names are a subclass of str, which msgspec does not take for a key.
    return {str(name): value for name, value in row.items()}


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            "The store's URL cannot be read; write sqlite:///PATH, for one, and a password's own"
            " '@', ':' and '/' percent-encoded."
        ) from error
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise StoreError(
            f"The store cannot be kept in '{parsed.drivername}';"
            " write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise StoreError("The store's URL names no file; write sqlite:///PATH.")
    return parsed


def _make_file(url: URL) -> None:
    path = Path(url.database or "")
    # Opening the file here would be wrong: closing it drops SQLite's locks on it in this process.
    if path.exists():
        return
    try:
        files.make(path, _write_empty)
    except OSError as error:
        raise StoreError(f"The store {path} cannot be made: {error.strerror}") from error


def _write_empty(path: Path) -> None:
    # Readers and the writer do not wait for each other then. The file remembers it, and processes
    # that set it on the same new file at once would be refused instead of waiting.
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _sqlite(url: URL) -> Engine:
    engine = _engine(url, connect_args={"timeout": WAIT_SECONDS})

    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, and late.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _postgres(url: URL) -> Engine:
    return _engine(url, connect_args={"connect_timeout": WAIT_SECONDS}, pool_pre_ping=True)


def _engine(url: URL, **options: Any) -> Engine:
    try:
        return create_engine(
            url,
            hide_parameters=True,
            json_serializer=_to_json,
            json_deserializer=msgspec.json.decode,
            **options,
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            "PostgreSQL needs its driver; install it with: pip install 'inhouse[postgres]'"
        ) from error


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
