"""Search an index of documentation."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from inhouse.context.documentation.about import opened
from inhouse.context.documentation.pages import address
from inhouse.context.documentation.question import expression
from inhouse.errors import NotFoundError, StoreError

SITE = "https://docs.gitlab.com/"
MOST_OF_A_PAGE = 2
"""Passages of one page in an answer: a second page says more than a third passage of the first."""
MOST_CHARACTERS = 8000 * 4
"""Of all passages in an answer together: about 8,000 tokens of English."""
AT_ONCE = 4
"""Searches that run at the same time; each takes a thread."""

_SEARCH = """
SELECT passages.id, path, anchor, passages.title, passages.headings, passages.content
FROM words JOIN passages ON passages.rowid = words.rowid
WHERE words MATCH ? ORDER BY rank LIMIT ?
"""


class Found(Struct, frozen=True, kw_only=True):
    """A passage: `id` stays the same while the passage stays where it is, `filename` is its page's.

    `headings` lead to it from the page's title.
    """

    id: str
    title: str
    headings: str
    content: str
    source_url: str
    filename: str


class Documentation:
    """Searches one file, which may come, go, and be replaced at any time."""

    def __init__(self, file: Path, failed: Callable[[str], None]) -> None:
        """Open nothing yet; `failed` hears once of each file that cannot be used, and what to do.

        That there is none is no failure.
        """
        self._file = file
        self._failed = failed
        self._complaint = ""
        self._places = asyncio.Semaphore(AT_ONCE)

    async def search(self, question: str, limit: int) -> Sequence[Found]:
        """Return the passages that answer a question best, none where there is no usable index."""
        async with self._places:
            try:
                found = await asyncio.to_thread(search, self._file, question, limit)
            except NotFoundError:
                self._complaint = ""
                return ()
            except StoreError as error:
                if self._complaint != error.message:
                    self._failed(error.message)
                self._complaint = error.message
                return ()
        self._complaint = ""
        return found


def search(file: Path, question: str, limit: int) -> Sequence[Found]:
    """Return the passages that answer a question best, the best first.

    Raises:
        NotFoundError: there is no such index.
        StoreError: the file is no index, of another format, or damaged.

    """
    wanted = expression(question)
    with opened(file) as connection:
        return list(_fitting(connection, wanted, limit)) if wanted else ()


def _fitting(connection: sqlite3.Connection, wanted: str, limit: int) -> Iterator[Found]:
    pages: dict[str, int] = {}
    left, room = limit, MOST_CHARACTERS
    for row in connection.execute(_SEARCH, (wanted, limit * 8)):
        name, path, anchor, title, headings, content = row
        taken = pages.get(path, 0)
        if taken == MOST_OF_A_PAGE:
            continue
        room -= len(content)
        if not left or room < 0:
            return
        left -= 1
        pages[path] = taken + 1
        yield Found(
            id=name,
            title=title,
            headings=headings,
            content=content,
            source_url=f"{SITE}{address(path)}{'#' if anchor else ''}{anchor}",
            filename=path,
        )
