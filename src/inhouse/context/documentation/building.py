"""Build an index: the passages of a folder's pages in one SQLite file, with FTS5."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from msgspec import Struct

from inhouse.context.documentation.about import FORMAT, About
from inhouse.context.documentation.pages import Page, find_pages, read_page
from inhouse.context.documentation.passages import Passage, passages
from inhouse.context.documentation.readable import readable
from inhouse.errors import InvalidValueError, StoreError

READ = 0.7
"""The share of the work that is done when every page is read."""
BETWEEN = " > "
"""Stands between the headings that lead to a passage."""

# The words are an index over the passages, whose text is stored once. Ranking weighs their columns
# in this order; the title and the headings of a passage say best what it is about.
_SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE passages (
    rowid INTEGER PRIMARY KEY, id TEXT NOT NULL, path TEXT NOT NULL, anchor TEXT NOT NULL,
    title TEXT NOT NULL, headings TEXT NOT NULL, content TEXT NOT NULL
);
CREATE VIRTUAL TABLE words USING fts5(
    title, headings, content, content = 'passages',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO words (words, rank) VALUES ('rank', 'bm25(6.0, 4.0, 1.0)');
"""


class Built(Struct, frozen=True, kw_only=True):
    """What came of it: `left_out` are files that could not be read, `moved` pages without text."""

    about: About
    left_out: tuple[str, ...]
    moved: int


def build(
    folder: Path,
    file: Path,
    *,
    version: str = "",
    progress: Callable[[float, str], None] = lambda _share, _doing: None,
) -> Built:
    """Index the Markdown below `folder`, and put the index in the place of `file`.

    Whoever reads the old one meanwhile goes on reading that; a failure leaves it as it is.

    Raises:
        InvalidValueError: there is no readable Markdown below the folder.
        StoreError: the file cannot be written, or this Python's SQLite lacks FTS5.

    """
    folder = folder.resolve()
    left_out: list[str] = []
    paths = find_pages(folder, left_out.append)
    if not paths:
        raise InvalidValueError(f"There are no Markdown files (*.md) below {folder}.")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with closing(sqlite3.connect(draft)) as connection:
            built = _Building(connection, folder, left_out, progress).run(paths, version)
        _settle(draft, file)
    except sqlite3.Error as error:
        raise StoreError(_refused(file, error)) from None
    except OSError as error:
        raise StoreError(f"The index {file} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return built


class _Building:
    """Fills a new database."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: Path,
        left_out: list[str],
        progress: Callable[[float, str], None],
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._left_out = left_out
        self._progress = progress
        self._pages = 0
        self._moved = 0

    def run(self, paths: list[str], version: str) -> Built:
        connection = self._connection
        # A crash loses the draft and nothing else.
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        rows = self._rows(paths)
        connection.executemany("INSERT INTO passages VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)
        if not self._pages:
            raise InvalidValueError(
                f"None of the {len(paths)} Markdown files below {self._folder} has text that can be"
                " read."
            )
        self._progress(READ, "indexing")
        connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
        connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        about = self._about(version)
        facts = [(name, getattr(about, name)) for name in About.__struct_fields__]
        connection.executemany("INSERT INTO about VALUES (?, ?)", facts)
        connection.commit()
        return Built(about=about, left_out=tuple(self._left_out), moved=self._moved)

    def _about(self, version: str) -> About:
        (passages_made,) = self._connection.execute("SELECT count(*) FROM passages").fetchone()
        return About(
            format=FORMAT,
            version=version,
            pages=self._pages,
            passages=passages_made,
            built_at=int(time.time()),
        )

    def _rows(self, paths: list[str]) -> Iterator[tuple[str, ...]]:
        for number, path in enumerate(paths):
            self._progress(READ * number / len(paths), "reading")
            page = read_page(self._folder, path)
            if page is None:
                self._left_out.append(path)
            elif page.moved:
                self._moved += 1
            else:
                rows = list(_passage_rows(page))
                self._pages += bool(rows)
                yield from rows


def _passage_rows(page: Page) -> Iterator[tuple[str, ...]]:
    for passage in passages(page.body):
        content = readable(passage.text)
        if _says_something(content):
            headings = BETWEEN.join(passage.headings)
            name = _identity(page, passage)
            yield (name, page.path, passage.anchor, page.title, headings, content)


def _says_something(content: str) -> bool:
    """Tell whether there is more than a heading."""
    return any(line.strip() and not line.startswith("#") for line in content.split("\n"))


def _identity(page: Page, passage: Passage) -> str:
    """Return an id that stays as long as the passage is found at the same place."""
    place = f"{page.path}#{passage.anchor}/{passage.part}"
    return hashlib.blake2b(place.encode(), digest_size=16).hexdigest()


def _settle(draft: Path, file: Path) -> None:
    """Put the finished draft in the file's place, once it is on the disk."""
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.replace(file)


def _refused(file: Path, error: sqlite3.Error) -> str:
    if "fts5" in str(error):
        return (
            f"The SQLite {sqlite3.sqlite_version} of this Python is built without FTS5, the full"
            " text search that the index needs. Take a Python whose SQLite has it, as those of"
            " Debian, Alpine, Homebrew and python.org do."
        )
    return f"The index {file} cannot be written: {error}."
