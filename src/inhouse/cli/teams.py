"""``inhouse teams``: keys that share limits and may have routes of their own."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from msgspec import UNSET

from inhouse.cli import arguments, names, output
from inhouse.cli.command import Group, json_option
from inhouse.cli.registry import author, opened, team
from inhouse.core.catalog import Catalog, Team
from inhouse.core.feature import Feature
from inhouse.errors import ConflictError


@click.group(
    "teams",
    cls=Group,
    examples=[
        "inhouse teams create payments --tokens-per-minute 2000000",
        "inhouse keys create ada --role developer --team payments",
        "inhouse routes set completion codestral --team payments",
    ],
)
def command() -> None:
    """Make teams, whose keys share limits and may have routes of their own.

    A minute is one of the clock, in UTC, and counts all processes of the gateway together.
    """


@command.command(
    "create",
    examples=[
        "inhouse teams create payments",
        "inhouse teams create payments --requests-per-minute 1200",
    ],
)
@click.argument("name")
@arguments.limit_options
@json_option
@click.pass_obj
def create(
    file: Path | None,
    name: str,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    as_json: bool,
) -> None:
    """Make the team NAME."""
    limits = arguments.limits(requests_per_minute, tokens_per_minute)
    with opened(file) as registry:
        if name in registry.snapshot().teams:
            raise ConflictError(
                f"There is a team '{name}' already; 'inhouse teams set' changes it.", param="name"
            )
        registry.put_team(Team(name=name, limits=limits), author=author())
        catalog = registry.snapshot()
    _tell(catalog, name, f"The team '{name}' is made.", as_json=as_json)


@command.command("list", examples=["inhouse teams list", "inhouse teams list --json"])
@json_option
@click.pass_obj
def listed(file: Path | None, as_json: bool) -> None:
    """List the teams with their limits, keys and routes."""
    with opened(file) as registry:
        catalog = registry.snapshot()
    found = sorted(catalog.teams.values(), key=lambda each: each.name)
    if as_json:
        output.json([_view(catalog, each) for each in found])
        return
    rows = [
        (
            each.name,
            output.limit(each.limits.requests_per_minute),
            output.limit(each.limits.tokens_per_minute),
            ", ".join(_keys(catalog, each)),
            ", ".join(_routes(catalog, each)),
            "inhouse.toml" if each.declared else "",
        )
        for each in found
    ]
    output.table(
        ["NAME", "REQUESTS/MIN", "TOKENS/MIN", "KEYS", "ROUTES", "DECLARED IN"],
        rows,
        empty="There are no teams yet. Make one with: inhouse teams create NAME",
    )


@command.command("show", examples=["inhouse teams show payments"])
@click.argument("name", shell_complete=names.teams)
@json_option
@click.pass_obj
def show(file: Path | None, name: str, as_json: bool) -> None:
    """Show the team NAME."""
    with opened(file) as registry:
        catalog = registry.snapshot()
    found = team(catalog, name)
    if as_json:
        output.json(_view(catalog, found))
        return
    output.facts(
        [
            ("name", found.name),
            ("requests a minute", output.limit(found.limits.requests_per_minute)),
            ("tokens a minute", output.limit(found.limits.tokens_per_minute)),
            ("keys", ", ".join(_keys(catalog, found)) or "none yet"),
            ("own routes", ", ".join(_routes(catalog, found)) or "none: everybody's hold"),
            ("declared", "in inhouse.toml" if found.declared else "no"),
        ]
    )


@command.command(
    "set",
    examples=[
        "inhouse teams set payments --tokens-per-minute 5000000",
        "inhouse teams set payments --requests-per-minute none",
    ],
)
@click.argument("name", shell_complete=names.teams)
@arguments.limit_options
@json_option
@click.pass_obj
def put(
    file: Path | None,
    name: str,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    as_json: bool,
) -> None:
    """Change the limits of the team NAME; those left out stay."""
    asked = {
        "requests_per_minute": arguments.changed(requests_per_minute),
        "tokens_per_minute": arguments.changed(tokens_per_minute),
    }
    given = {each: value for each, value in asked.items() if value is not UNSET}
    if not given:
        raise click.UsageError("Say what to change: --requests-per-minute or --tokens-per-minute.")
    with opened(file) as registry:
        before = team(registry.snapshot(), name)
        limits = msgspec.structs.replace(before.limits, **given)
        registry.put_team(Team(name=name, limits=limits), author=author())
        catalog = registry.snapshot()
    _tell(catalog, name, f"The team '{name}' is changed.", as_json=as_json)


@command.command("remove", examples=["inhouse teams remove payments"])
@click.argument("name", shell_complete=names.teams)
@json_option
@click.pass_obj
def remove(file: Path | None, name: str, as_json: bool) -> None:
    """Remove the team NAME; refused while it has keys or routes."""
    with opened(file) as registry:
        registry.remove_team(name, author=author())
    if as_json:
        output.json({"removed": name})
    else:
        click.echo(f"The team '{name}' is removed.")


def _tell(catalog: Catalog, name: str, sentence: str, *, as_json: bool) -> None:
    if as_json:
        output.json(_view(catalog, catalog.teams[name]))
    else:
        click.echo(sentence)


def _keys(catalog: Catalog, found: Team) -> list[str]:
    return sorted(key.name for key in catalog.keys.values() if key.team == found.name)


def _routes(catalog: Catalog, found: Team) -> list[str]:
    return [each.value for each in Feature if (found.name, each) in catalog.team_routes]


def _view(catalog: Catalog, found: Team) -> dict[str, object]:
    return {
        "name": found.name,
        "requests_per_minute": found.limits.requests_per_minute,
        "tokens_per_minute": found.limits.tokens_per_minute,
        "keys": _keys(catalog, found),
        "routes": _routes(catalog, found),
        "declared": found.declared,
    }
