"""``inhouse revisions``: every change of the registry."""

from __future__ import annotations

from pathlib import Path

import click

from inhouse.cli import output
from inhouse.cli.command import Group, json_option
from inhouse.cli.registry import as_json as changes_json
from inhouse.cli.registry import author, opened, show_changes


@click.group(
    "revisions",
    cls=Group,
    examples=["inhouse revisions list", "inhouse revisions rollback 12"],
)
def command() -> None:
    """List and show the changes of the registry, and undo them."""


@command.command("list", examples=["inhouse revisions list", "inhouse revisions list --limit 5"])
@click.option("--limit", type=click.IntRange(1, 10_000), metavar="N", default=20, show_default=True)
@json_option
@click.pass_obj
def listed(file: Path | None, limit: int, as_json: bool) -> None:
    """List the newest changes."""
    with opened(file) as registry:
        found = registry.revisions(limit)
    if as_json:
        output.json(
            [
                {
                    "number": each.number,
                    "at": each.at,
                    "author": each.author,
                    "summary": each.summary,
                }
                for each in found
            ]
        )
        return
    rows = [(f"{each.number}", output.when(each.at), each.author, each.summary) for each in found]
    output.table(["REVISION", "AT", "AUTHOR", "CHANGE"], rows, empty="Nothing has changed yet.")


@command.command("show", examples=["inhouse revisions show 12"])
@click.argument("number", type=click.IntRange(min=1))
@json_option
@click.pass_obj
def show(file: Path | None, number: int, as_json: bool) -> None:
    """Show what revision NUMBER changed."""
    with opened(file) as registry:
        found = registry.show(number)
    if as_json:
        output.json(
            {
                "number": found.number,
                "at": found.at,
                "author": found.author,
                "summary": found.summary,
                "changes": changes_json(found.changes),
            }
        )
        return
    output.facts(
        [
            ("revision", f"{found.number}"),
            ("at", output.when(found.at)),
            ("author", found.author),
        ]
    )
    click.echo()
    show_changes(found.changes)


@command.command("rollback", examples=["inhouse revisions rollback 12"])
@click.argument("number", type=click.IntRange(min=0))
@json_option
@click.pass_obj
def rollback(file: Path | None, number: int, as_json: bool) -> None:
    """Bring the registry back to what it was after revision NUMBER.

    That is a new revision, so it can be undone too. What inhouse.toml declares stays as it is, and
    so do API keys.
    """
    with opened(file) as registry:
        changes = registry.rollback(number, author=author())
        newest = registry.revision()
    if as_json:
        output.json({"revision": newest, "changes": changes_json(changes)})
        return
    show_changes(changes)
    output.note(
        f"Revision {newest} restores revision {number}."
        if changes
        else f"Nothing to change: the registry is as after revision {number}."
    )
