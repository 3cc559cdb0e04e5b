"""Pages of a documentation: a folder's Markdown files, with what stands above their text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from inhouse.context.documentation.passages import first_heading
from inhouse.context.files import read_text

_FRONT = re.compile(
    r"---[ \t]*\r?\n(?P<fields>(?:(?!---[ \t]*\r?$)[^\n]*\n)*)---[ \t]*\r?(?:\n|\Z)",
    re.MULTILINE,
)
_FIELD = re.compile(r"^(?P<name>title|redirect_to)[ \t]*:[ \t]*(?P<value>\S[^\n]*)$", re.MULTILINE)
_INDEXES = frozenset({"index", "_index", "README"})


class Page(Struct, frozen=True):
    """One file: `path` is relative to the folder; `body` is its text without the front matter.

    `moved` is whether it only says that its content has gone elsewhere.
    """

    path: str
    title: str
    body: str
    moved: bool = False


def find_pages(folder: Path, unreadable: Callable[[str], None]) -> list[str]:
    """Return the paths of the Markdown files below a folder, sorted; hidden ones are none.

    Links to folders are not followed, so they make no loops. `unreadable` hears of folders that
    cannot be listed.
    """
    found: list[str] = []
    for place, folders, names in os.walk(
        folder, onerror=lambda error: unreadable(str(error.filename))
    ):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(place, name).relative_to(folder).as_posix()
            for name in names
            if name.endswith(".md") and not name.startswith(".")
        ]
    return sorted(found)


def read_page(folder: Path, path: str) -> Page | None:
    """Return a page; None for a file that is over 1 MiB, not UTF-8, unreadable, or elsewhere."""
    found = read_text(folder, path)
    return None if found is None else parse_page(path, found)


def parse_page(path: str, text: str) -> Page:
    """Return the page that a file's text is."""
    front = _FRONT.match(text)
    fields: dict[str, str] = {}
    if front is not None:
        fields = {each["name"]: _plain(each["value"]) for each in _FIELD.finditer(front["fields"])}
    body = text[front.end() :] if front is not None else text
    title = fields.get("title") or first_heading(body) or _name(path)
    return Page(path, title, body, moved="redirect_to" in fields)


def address(path: str) -> str:
    """Return the path of a page's URL: ``user/issues.md`` is at ``user/issues/``."""
    folder, _, name = path.removesuffix(".md").rpartition("/")
    parts = [folder, "" if name in _INDEXES else name]
    return "".join(f"{part}/" for part in parts if part)


def _plain(value: str) -> str:
    value = value.strip()
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _name(path: str) -> str:
    words = address(path).rstrip("/").rpartition("/")[2]
    return words.replace("_", " ").replace("-", " ").capitalize() or path
