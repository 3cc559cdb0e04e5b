"""What an index file says of itself, and how it is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from inhouse.errors import NotFoundError, StoreError

FORMAT = 1
"""Grows when the tables change; files of another format are not read."""


class About(Struct, frozen=True, kw_only=True):
    """What was indexed: `version` as whoever built it named it, `built_at` as Unix time."""

    format: int
    version: str
    pages: int
    passages: int
    built_at: int


def read_about(file: Path) -> About:
    """Return what an index says of itself; raises as `opened`."""
    with opened(file) as connection:
        return _about(connection)


@contextmanager
def opened(file: Path) -> Generator[sqlite3.Connection]:
    """Open an index to read it; a file that takes its place meanwhile does no harm.

    Raises:
        NotFoundError: there is no such file.
        StoreError: it is no index, of another format, or damaged; also out of the block.

    """
    if not file.is_file():
        raise NotFoundError(
            f"There is no index of documentation at {file}. Build it: inhouse docs build DIR"
        )
    try:
        # Nobody ever writes to a finished index, so that no locks are needed.
        place = f"{file.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(place, uri=True)) as connection:
            if _about(connection).format != FORMAT:
                raise StoreError(
                    f"The index of documentation {file} is of another format than this inhouse"
                    " reads. Build it anew: inhouse docs build DIR"
                )
            yield connection
    except (sqlite3.Error, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{file} is no index of documentation, or damaged ({error})."
            " Build it anew: inhouse docs build DIR"
        ) from None


def _about(connection: sqlite3.Connection) -> About:
    return msgspec.convert(dict(connection.execute("SELECT name, value FROM about")), About)
