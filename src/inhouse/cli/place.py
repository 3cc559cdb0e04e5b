"""A cursor in a file, as people write it: FILE:LINE:COLUMN."""

from __future__ import annotations

import re
from pathlib import Path

import click
from msgspec import Struct

from inhouse.cli.asking import read_text

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d{1,9})(?::(?P<column>\d{1,9}))?", re.DOTALL)


class Hole(Struct, frozen=True):
    """What stands around a cursor; `path` is relative to the project."""

    path: str
    prefix: str
    suffix: str


def read_hole(place: str, *, whole_file: bool = False) -> Hole:
    """Read the file that ``FILE:LINE:COLUMN`` names, and cut it there.

    Lines and columns count from 1, columns in characters; without a column it is the line's end.
    With `whole_file` a FILE alone is its end. Fails as a wrong call where there is no such place.
    """
    found = _PLACE.fullmatch(place)
    if found is None and whole_file:
        path = Path(place)
        return Hole(relative(path), read_text(path), "")
    if found is None:
        raise click.BadParameter(
            f"'{place}' is not FILE:LINE:COLUMN, as in src/app.py:12:20.", param_hint="PLACE"
        )
    path = Path(found["file"])
    text = read_text(path)
    at = _offset(text, path, int(found["line"]), found["column"])
    return Hole(relative(path), text[:at], text[at:])


def relative(path: Path) -> str:
    """Return a path as seen from the repository that it is in, else from here."""
    whole = path.resolve()
    for folder in whole.parents:
        if (folder / ".git").exists():
            return whole.relative_to(folder).as_posix()
    here = Path.cwd().resolve()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else path.name


def _offset(text: str, path: Path, line: int, column: str | None) -> int:
    # Only line feeds end lines here, as in editors: str.splitlines knows many more.
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        raise click.BadParameter(
            f"{path} has {len(lines)} lines, so there is no line {line}.", param_hint="PLACE"
        )
    end = len(lines[line - 1].removesuffix("\r"))
    wanted = end + 1 if column is None else int(column)
    if not 1 <= wanted <= end + 1:
        raise click.BadParameter(
            f"line {line} of {path} has {end} characters: the column is one from 1 to {end + 1}.",
            param_hint="PLACE",
        )
    return sum(len(each) + 1 for each in lines[: line - 1]) + wanted - 1
