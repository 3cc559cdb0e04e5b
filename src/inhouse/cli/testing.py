"""Run the checks of a deployment, and show them as they come in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from inhouse import config
from inhouse.cli import output
from inhouse.cli.progress import bar
from inhouse.cli.registering import providers
from inhouse.core.catalog import Deployment
from inhouse.core.settings import Settings
from inhouse.errors import InhouseError
from inhouse.families import load
from inhouse.features.check import Check, Status, failed
from inhouse.features.checks import check_deployment

SIGNS = {
    Status.OK: ("✔", "green"),
    Status.WARNING: ("!", "yellow"),
    Status.FAILED: ("✘", "bold red"),
    Status.SKIPPED: ("-", "dim"),
}
NAME_WIDTH = 16


def run(
    configured: config.Config, settings: Settings, deployment: Deployment, *, show: bool
) -> list[Check]:
    """Make every check of a deployment; `show` prints each as soon as it is made."""
    return asyncio.run(_run(configured, settings, deployment, show=show))


async def _run(
    configured: config.Config, settings: Settings, deployment: Deployment, *, show: bool
) -> list[Check]:
    known = providers(configured, deployment)
    made: list[Check] = []
    try:
        provider = known[deployment.provider]
    except InhouseError as error:
        made.append(failed("configuration", str(error)))
        if show:
            print_check(made[0])
        return made
    try:
        with bar("indexing") as progress:
            async for check in check_deployment(
                deployment, provider, load(configured.families), settings, progress
            ):
                made.append(check)
                if show:
                    print_check(check)
    finally:
        await known.aclose()
    return made


def passed(checks: Iterable[Check]) -> bool:
    """Tell whether nothing failed."""
    return all(check.status is not Status.FAILED for check in checks)


def print_check(check: Check) -> None:
    """Print one check: a sign, its name and sentence, below it what to do."""
    sign, style = SIGNS[check.status]
    out = output.console()
    name = Text(check.name, style="bold")
    sentence = Text(output.plain(check.sentence))
    advised = bool(check.remedy) and check.status is not Status.OK
    remedy = Text(f"→ {output.plain(check.remedy)}", style="cyan") if advised else None
    if not out.is_terminal:
        out.print(Text.assemble(sign, " ", name, "  ", sentence), soft_wrap=True)
        if remedy is not None:
            out.print("  ", remedy, soft_wrap=True, sep="")
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(width=NAME_WIDTH)
    grid.add_column(overflow="fold")
    grid.add_row(Text(sign, style=style), name, sentence)
    if remedy is not None:
        grid.add_row("", "", remedy)
    out.print(grid)
