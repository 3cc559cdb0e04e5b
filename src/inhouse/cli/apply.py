"""``inhouse apply``: bring the registry to what a file lists."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from inhouse import config
from inhouse.cli import output
from inhouse.cli.command import Command, json_option
from inhouse.cli.registering import checked
from inhouse.cli.registry import as_json as changes_json
from inhouse.cli.registry import author, opened_with, show_changes


@click.command(
    "apply",
    cls=Command,
    examples=[
        "inhouse apply models.toml --plan",
        "inhouse apply models.toml",
        "inhouse apply models.toml --prune",
    ],
)
@click.argument("listing", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--plan", is_flag=True, help="Only show what would change.")
@click.option(
    "--prune",
    is_flag=True,
    help="Also remove what the file does not list, of each kind of which it lists any.",
)
@json_option
@click.pass_obj
def command(file: Path | None, listing: Path, plan: bool, prune: bool, as_json: bool) -> None:
    """Create and update what FILE lists, as one revision.

    FILE is TOML with the sections [[deployments]], [[teams]], [[routes]], [[keys]] and [settings],
    written as in inhouse.toml. Unlike entries that inhouse.toml declares, these can be changed
    elsewhere.
    """
    configured = config.load(file)
    entries = config.load_entries(listing)
    deployments = tuple(checked(configured, entries.deployments))
    entries = msgspec.structs.replace(entries, deployments=deployments)
    with opened_with(configured) as registry:
        if plan:
            changes = registry.plan(entries, as_declared=False, prune=prune)
        else:
            changes = registry.apply(entries, author=author(), as_declared=False, prune=prune)
    if as_json:
        output.json({"applied": not plan, "changes": changes_json(changes)})
        return
    show_changes(changes)
    if not changes:
        output.note("Nothing to change: everything is as the file lists it.")
    elif plan:
        output.note("Nothing has been changed yet; leave --plan out to do it.")
