"""How the report of a probe looks."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click
from rich.text import Text

from inhouse.cli import output
from inhouse.core.catalog import Deployment
from inhouse.families import Support
from inhouse.features.probing import Badge, Report, outdated
from inhouse.features.probing.evidence import Level

COLOURS = {
    Support.FULL: "green",
    Support.PARTIAL: "yellow",
    Support.LIMITED: "bold red",
    Support.UNSUPPORTED: "dim",
    Support.UNRATED: "dim",
}
WIDTH = 12
UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def show_badges(badges: Sequence[Badge]) -> None:
    """Print each feature's badge, and below it the reasons."""
    out = output.console()
    for badge in badges:
        name = Text(f"{badge.feature.value:<{WIDTH}}", style="bold")
        colour = COLOURS[badge.support]
        out.print(name + Text(badge.support.value.capitalize(), style=colour), soft_wrap=True)
        for reason in badge.reasons:
            style = "dim" if reason.allows is Support.FULL else ""
            sentence = Text(f"{'':{WIDTH}}{output.plain(reason.sentence)}", style=style)
            out.print(sentence, soft_wrap=True)


def show_figures(report: Report) -> None:
    """Print how fast it was, and what could not be measured for lack of time or otherwise."""
    if report.evidence.load:
        click.echo()
    levels = report.evidence.load or ()
    output.table(
        ["AT ONCE", "ANSWERED", "FIRST TOKEN", "P95", "WHOLE ANSWER", "P95", "TOKENS/S"],
        [_row(each) for each in levels if each.requests],
        empty="Speed was not measured.",
    )
    for each in levels:
        if each.why:
            output.note(f"{each.concurrent} at once: {output.plain(each.why)}")
    for each in report.evidence.skipped:
        output.note(f"Not measured: {each.part}. {output.plain(each.why)}")


def when_probed(report: Report, deployment: Deployment) -> str:
    """Say when a report was made, and whether it still holds."""
    said = f"{output.when(report.at)}, {age(time.time() - report.at)}"
    changed = outdated(report, deployment)
    if changed:
        return f"{said}; outdated: {' and '.join(changed)} changed since"
    return said


def age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit."""
    for size, unit in UNITS:
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _row(level: Level) -> list[str]:
    answered = level.requests - level.failed - level.unfinished
    return [
        str(level.concurrent),
        f"{answered} of {level.requests}",
        _milliseconds(level.first_median),
        _milliseconds(level.first_p95),
        _milliseconds(level.total_median),
        _milliseconds(level.total_p95),
        f"{level.tokens_per_second:.0f}",
    ]


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"
