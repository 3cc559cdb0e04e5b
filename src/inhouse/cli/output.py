"""What the commands print: text and tables for people, JSON for programs, notes beside both."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNBOUNDED = 100_000
"""Columns where nobody looks: a table in a pipe is not cut."""

Cell = str | Text


def console(*, stderr: bool = False) -> Console:
    """Return where to print; colours only at a terminal, and not where ``NO_COLOR`` is set."""
    found = Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not found.is_terminal:
        found.width = UNBOUNDED
    return found


def json(value: object) -> None:
    """Print a value as JSON; one that JSON does not know is shown as text."""
    plain = msgspec.json.encode(value, enc_hook=str)
    click.echo(msgspec.json.format(plain, indent=2).decode())


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, empty: str) -> None:
    """Print rows under heads; where there are none, say `empty` on standard error."""
    listed = [[_text(cell) for cell in row] for row in rows]
    out = console()
    if not listed:
        note(empty)
        return
    if not out.is_terminal:
        _lines(out, [[Text(head) for head in heads], *listed])
        return
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        shown.add_column(head, overflow="fold")
    for row in listed:
        shown.add_row(*row)
    out.print(shown)


def facts(pairs: Iterable[tuple[str, Cell]]) -> None:
    """Print names and values, one pair a line."""
    _lines(console(), [[Text(name, style="bold"), _text(value)] for name, value in pairs])


def _lines(out: Console, rows: Sequence[Sequence[Text]]) -> None:
    """Print rows in columns, without blanks at the ends."""
    widths = [max(each.cell_len for each in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = Text()
        for cell, width in zip(row, widths, strict=True):
            line = line + cell + " " * (width - cell.cell_len + 2)
        line.rstrip()
        out.print(line, soft_wrap=True)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(plain(cell))


def note(text: str) -> None:
    """Tell people something on standard error, where it is in no program's way."""
    console(stderr=True).print(text, style="dim", soft_wrap=True)


def complain(text: str) -> None:
    """Tell on standard error what went wrong."""
    out = console(stderr=True)
    out.print(
        Text("error: ", style="bold red") + Text(plain(text), style="default"), soft_wrap=True
    )


def when(seconds: float) -> str:
    """Return a Unix time as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def limit(units: int | None) -> str:
    """Return what may be asked in a minute."""
    return "no limit" if units is None else f"{units:,}".replace(",", " ")


def argument(name: str) -> str:
    """Return a name as it is typed into a shell."""
    return f"'{name}'" if " " in name else name


def plain(text: str) -> str:
    """Return text without the control characters by which it could command a terminal."""
    return "".join(each for each in text if each.isprintable() or each in "\n\t")


def pieces() -> Callable[[str], None]:
    """Return what prints a streamed text as it comes: as it stands in a pipe, tamed elsewhere."""
    out = sys.stdout
    tame = out.isatty()

    def write(text: str) -> None:
        out.write(plain(text) if tame else text)
        out.flush()

    return write
