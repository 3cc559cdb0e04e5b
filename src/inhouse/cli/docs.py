"""``inhouse docs``: the index of documentation that chat looks things up in."""

from __future__ import annotations

import time
from pathlib import Path

import click

from inhouse import config
from inhouse.cli import output
from inhouse.cli.command import Group, json_option
from inhouse.cli.progress import bar
from inhouse.context import documentation

MOST_NAMED = 5
"""Files left out that are named one by one."""
MOST_FOUND = 20

_file_option = click.option(
    "--file",
    "index",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Index to read; else the one that the configuration names.",
)


@click.group(
    "docs",
    cls=Group,
    examples=[
        "inhouse docs build ~/src/gitlab/doc --version 18.6",
        "inhouse docs search 'How do I rotate a token?'",
    ],
)
def command() -> None:
    """Index GitLab's documentation, so that chat can look things up in it."""


@command.command(
    "build",
    examples=[
        "inhouse docs build ~/src/gitlab/doc",
        "inhouse docs build ~/src/gitlab/doc --version 18.6 --output docs.db",
    ],
)
@click.argument(
    "folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--output",
    "written",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Index to write; else the one that the configuration names.",
)
@click.option("--version", default="", help="What to call the documentation's version, as 18.6.")
@json_option
@click.pass_obj
def build(
    file: Path | None, folder: Path, written: Path | None, version: str, as_json: bool
) -> None:
    """Index the Markdown files below DIR, such as the folder doc of GitLab's own repository.

    A running gateway takes the new index as soon as it is there. Left out are files over 1 MiB and
    those that are not UTF-8.
    """
    index = written or config.load(file).gitlab.docs
    began = time.monotonic()
    with bar("reading") as progress:
        built = documentation.build(folder, index, version=version, progress=progress)
    seconds, size = time.monotonic() - began, index.stat().st_size
    about, left_out = built.about, built.left_out
    if as_json:
        facts = _facts(index, about) | {"left_out": left_out, "moved": built.moved}
        output.json(facts | {"seconds": round(seconds, 3)})
        return
    click.echo(
        f"Indexed {about.pages} pages in {seconds:.1f} s: {about.passages} passages,"
        f" {size / 1e6:.1f} MB in {index}"
    )
    if left_out:
        named = ", ".join(left_out[:MOST_NAMED])
        more = f" and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
        output.note(f"{len(left_out)} left out (over 1 MiB, not UTF-8, unreadable): {named}{more}")
    output.note("Try it: inhouse docs search 'YOUR QUESTION'")


@command.command("show", examples=["inhouse docs show", "inhouse docs show --json"])
@_file_option
@json_option
@click.pass_obj
def show(file: Path | None, index: Path | None, as_json: bool) -> None:
    """Show what is indexed: version, pages, passages, age."""
    index = index or config.load(file).gitlab.docs
    about = documentation.read_about(index)
    if as_json:
        output.json(_facts(index, about))
        return
    output.facts(
        [
            ("file", f"{index} ({index.stat().st_size / 1e6:.1f} MB)"),
            ("version", about.version or "-"),
            ("pages", f"{about.pages}"),
            ("passages", f"{about.passages}"),
            ("built", output.when(about.built_at)),
        ]
    )


@command.command(
    "search",
    examples=[
        "inhouse docs search 'How do I rotate a token?'",
        "inhouse docs search 'push rules' --limit 10 --json",
    ],
)
@click.argument("query")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_FOUND),
    metavar="N",
    default=4,
    show_default=True,
    help="Passages to find.",
)
@_file_option
@json_option
@click.pass_obj
def search(file: Path | None, query: str, limit: int, index: Path | None, as_json: bool) -> None:
    """Find the passages that answer QUERY, as chat would get them."""
    found = documentation.search(index or config.load(file).gitlab.docs, query, limit)
    if as_json:
        output.json(found)
        return
    if not found:
        output.note("Nothing was found.")
    for number, each in enumerate(found):
        if number:
            click.echo()
        output.facts(
            [("page", each.title), ("below", each.headings or "-"), ("at", each.source_url)]
        )
        click.echo(output.plain(each.content))


def _facts(index: Path, about: documentation.About) -> dict[str, object]:
    return {
        "file": str(index),
        "bytes": index.stat().st_size,
        "version": about.version,
        "pages": about.pages,
        "passages": about.passages,
        "built_at": about.built_at,
    }
