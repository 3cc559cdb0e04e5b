"""``inhouse traces``: what was asked, and how it went."""

from __future__ import annotations

import re
import time
from pathlib import Path

import click
from rich.text import Text

from inhouse.cli import names, output
from inhouse.cli.command import Group, json_option
from inhouse.cli.registry import opened
from inhouse.core.feature import Feature
from inhouse.core.trace import Outcome, Trace
from inhouse.store import Filter

UNITS = {"m": 60, "h": 3600, "d": 86_400}
ID_SHOWN = 8
USER_SHOWN = 12
COLOURS = {
    Outcome.FAILED: "red",
    Outcome.REFUSED: "yellow",
    Outcome.CANCELLED: "dim",
    Outcome.SUPERSEDED: "dim",
}


def _age(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Turn ``30m``, ``2h`` or ``7d`` to the Unix time so long ago."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,6})([mhd])", value)
    if found is None:
        raise click.BadParameter("write an age such as 30m, 2h or 7d.")
    return time.time() - int(found[1]) * UNITS[found[2]]


@click.group(
    "traces",
    cls=Group,
    examples=["inhouse traces list --outcome failed", "inhouse traces list --since 2h"],
)
def command() -> None:
    """Look at the records of requests: metadata, never prompts or answers."""


@command.command(
    "list",
    examples=[
        "inhouse traces list",
        "inhouse traces list --outcome failed --since 7d",
        "inhouse traces list --caller ada --feature completion --json",
    ],
)
@click.option("--limit", type=click.IntRange(1, 10_000), metavar="N", default=20, show_default=True)
@click.option("--caller", metavar="KEY", shell_complete=names.keys, help="Of this key only.")
@click.option("--user", metavar="ID", help="Asked for this user of the caller's only.")
@click.option("--team", metavar="NAME", shell_complete=names.teams, help="Of this team only.")
@click.option("--model", metavar="NAME", shell_complete=names.models, help="Asked as this only.")
@click.option(
    "--feature",
    type=click.Choice([each.value for each in Feature]),
    metavar="NAME",
    help="Of this feature only, as in chat.explain.",
)
@click.option("--outcome", type=click.Choice([each.value for each in Outcome]))
@click.option("--request-id", metavar="ID", help="Of the request that carried this X-Request-ID.")
@click.option("--since", callback=_age, metavar="AGE", help="Not older than, as in 30m, 2h or 7d.")
@json_option
@click.pass_obj
def listed(
    file: Path | None,
    limit: int,
    caller: str | None,
    user: str | None,
    team: str | None,
    model: str | None,
    feature: str | None,
    outcome: str | None,
    request_id: str | None,
    since: float | None,
    as_json: bool,
) -> None:
    """List requests, the newest first.

    An exclamation mark tells that a request was answered otherwise than it asked; why stands below.
    """
    wanted = Filter(
        caller=caller,
        user=user,
        team=team,
        model=model,
        feature=feature,
        outcome=Outcome(outcome) if outcome else None,
        request_id=request_id,
        since=since,
    )
    with opened(file) as registry:
        found = registry.traces.list_traces(limit, where=wanted)
    if as_json:
        output.json(found)
        return
    heads = ["AT", "CALLER", "MODEL", "ANSWERED BY", "OUTCOME", "MS", "TOKENS", "TRACE"]
    output.table(heads, map(_row, found), empty="No such request has been recorded.")
    for trace in found:
        for warning in trace.warnings:
            output.note(f"{trace.id[:ID_SHOWN]}: {warning}")


def _row(trace: Trace) -> list[output.Cell]:
    outcome = trace.error or trace.outcome.value
    return [
        output.when(trace.started_at),
        f"{trace.caller} for {_short(trace.user)}" if trace.user else trace.caller,
        output.plain(trace.model),
        trace.deployments[-1] if trace.deployments else "",
        Text(
            f"{outcome} ({trace.status})" + " !" * bool(trace.warnings),
            style=COLOURS.get(trace.outcome, "green"),
        ),
        f"{trace.duration_ms:.0f}",
        f"{trace.prompt_tokens}+{trace.completion_tokens}",
        trace.id[:ID_SHOWN],
    ]


def _short(user: str) -> str:
    """Return as much of a user's id as a table has room for; GitLab's are hashes."""
    return user if len(user) <= USER_SHOWN else user[:USER_SHOWN] + "…"
