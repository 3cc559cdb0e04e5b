"""A folder's source files as documents, without what nobody wrote by hand."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from inhouse.context.listing import listed
from inhouse.context.patterns import Patterns
from inhouse.context.tables import Tables
from inhouse.context.written import names_code, written_by_people
from inhouse.core.documents import Document

MOST_BYTES = 1 << 20


def read(root: Path, exclude: Sequence[str] = ()) -> Iterator[Document]:
    """Yield the text files below `root` in the order of their paths; blocks on the disk.

    Of a git repository the tracked files, of another folder all but hidden ones and those of
    installed or built things. Left out are files over 1 MiB, not UTF-8, generated or minified,
    tables that repeat an earlier one, links that lead out of `root`, and what `exclude` matches.

    Raises:
        OSError: `root` cannot be read.

    """
    root = root.resolve(strict=True)
    excluded = Patterns(exclude)
    tables = Tables()
    for path in sorted(set(listed(root))):
        if excluded.match(path) or not names_code(path):
            continue
        text = read_text(root, path)
        if text is not None and written_by_people(text) and not tables.repeats(text):
            yield Document(path, text)


def read_text(root: Path, path: str) -> str | None:
    """Return a file's text as it stands, line ends included; None where it is none of ours.

    That is one over 1 MiB, not UTF-8, with NUL bytes, unreadable, or a link that leads out of
    `root`, which must be resolved.
    """
    try:
        file = (root / path).resolve(strict=True)
        # A file may vanish between listing and reading, and a link may lead anywhere.
        if not file.is_relative_to(root):
            return None
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            return None
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, RuntimeError, UnicodeDecodeError):
        return None  # RuntimeError is Python 3.11's word for a loop of links.
    return None if "\0" in text else text
