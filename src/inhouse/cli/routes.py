"""``inhouse routes``: which deployments serve a feature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from inhouse import config
from inhouse.cli import names, output
from inhouse.cli.command import Group, json_option
from inhouse.cli.diagnosis import unfit
from inhouse.cli.registry import author, opened
from inhouse.cli.registry import team as known_team
from inhouse.core.catalog import Catalog, Route
from inhouse.core.feature import Feature
from inhouse.families import load
from inhouse.store import route_name
from inhouse.wire.gitlab.features import settings_of

FEATURE = click.Choice([each.value for each in Feature])
TEAM = click.option(
    "--team",
    default="",
    metavar="NAME",
    shell_complete=names.teams,
    help="For the members of this team only.",
)


@click.group(
    "routes",
    cls=Group,
    examples=["inhouse routes set completion codestral", "inhouse routes list"],
)
def command() -> None:
    """Decide which deployments serve a feature.

    A route lists deployments, the best first: the next one answers when one fails before its first
    word. With weights they share the load instead. A feature with a dot, such as chat.explain,
    inherits the route of what stands before it unless it has its own; `routes list` shows them all.
    A team has everybody's routes unless it has its own.
    """


@command.command(
    "set",
    examples=[
        "inhouse routes set completion codestral",
        "inhouse routes set chat 'llama on vLLM' 'llama on the old machine'",
        "inhouse routes set completion --weighted codestral=3 qwen=1 old=0",
        "inhouse routes set completion codestral --team payments",
    ],
)
@click.argument("feature", type=FEATURE, metavar="FEATURE")
@click.argument("deployments", nargs=-1, required=True, shell_complete=names.deployments)
@click.option(
    "--weighted",
    is_flag=True,
    help="Share the load: write each of DEPLOYMENTS as NAME=WEIGHT, with 0 for one that only steps"
    " in for others.",
)
@TEAM
@json_option
@click.pass_obj
def put(
    file: Path | None,
    feature: str,
    deployments: tuple[str, ...],
    weighted: bool,
    team: str,
    as_json: bool,
) -> None:
    """Let DEPLOYMENTS serve FEATURE, the best first.

    `routes list` shows every FEATURE.
    """
    weights: tuple[int, ...] = ()
    if weighted:
        deployments, weights = _weights(deployments)
    route = Route(feature=Feature(feature), team=team, deployments=deployments, weights=weights)
    _change(file, route, as_json=as_json)


@command.command(
    "disable",
    examples=["inhouse routes disable generation", "inhouse routes disable chat --team payments"],
)
@click.argument("feature", type=FEATURE, metavar="FEATURE")
@TEAM
@json_option
@click.pass_obj
def disable(file: Path | None, feature: str, team: str, as_json: bool) -> None:
    """Switch FEATURE off."""
    _change(file, Route(feature=Feature(feature), team=team, disabled=True), as_json=as_json)


@command.command(
    "inherit",
    examples=[
        "inhouse routes inherit chat.explain",
        "inhouse routes inherit completion --team payments",
    ],
)
@click.argument("feature", type=FEATURE, metavar="FEATURE")
@TEAM
@json_option
@click.pass_obj
def inherit(file: Path | None, feature: str, team: str, as_json: bool) -> None:
    """Remove the route of FEATURE: it takes its parent's; without a parent nothing serves it.

    A team takes everybody's route again.
    """
    with opened(file) as registry:
        registry.remove_route(Feature(feature), team, author=author())
        _show(registry.snapshot(), Feature(feature), team, as_json=as_json)


@command.command(
    "list",
    examples=[
        "inhouse routes list",
        "inhouse routes list --team payments",
        "inhouse routes list --json",
    ],
)
@click.option(
    "--team",
    default="",
    metavar="NAME",
    shell_complete=names.teams,
    help="What serves each feature for the members of this team.",
)
@json_option
@click.pass_obj
def show(file: Path | None, team: str, as_json: bool) -> None:
    """List every feature and what serves it, and the routes of teams.

    IN GITLAB are the names by which GitLab knows a feature.
    """
    with opened(file) as registry:
        catalog = registry.snapshot()
    if team:
        known_team(catalog, team)
    listed = [(each, team) for each in Feature]
    if not team:
        own = sorted(catalog.team_routes)
        listed += [(each, name) for each in Feature for name, routed in own if routed is each]
    if as_json:
        output.json([_view(catalog, *each) for each in listed])
        return
    heads = ["FEATURE", "TEAM", "SERVED BY", "IN GITLAB"]
    rows = [
        [each.value, name, _words(catalog, each, name), ", ".join(settings_of(each))]
        for each, name in listed
    ]
    if not (catalog.team_routes or team):
        for row in (heads, *rows):
            del row[1]
    output.table(heads, rows, empty="")


def _weights(pairs: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Take each ``NAME=WEIGHT`` apart, at the last ``=``: a name may hold others."""
    found: dict[str, int] = {}
    for pair in pairs:
        name, _, weight = pair.rpartition("=")
        if not name or not (weight.isascii() and weight.isdecimal()):
            raise click.BadParameter(
                f"'{pair}' is not NAME=WEIGHT, as in codestral=3.", param_hint="DEPLOYMENTS"
            )
        if name in found:
            raise click.BadParameter(f"'{name}' is listed twice.", param_hint="DEPLOYMENTS")
        found[name] = int(weight)
    return tuple(found), tuple(found.values())


def _change(file: Path | None, route: Route, *, as_json: bool) -> None:
    with opened(file) as registry:
        known = registry.snapshot().deployments
        for name in route.deployments:
            if name not in known and name.rpartition("=")[0] in known:
                raise click.BadParameter(
                    f"there is no deployment '{name}'; for weights add --weighted.",
                    param_hint="DEPLOYMENTS",
                )
        registry.set_route(route, author=author())
        catalog = registry.snapshot()
    _show(catalog, route.feature, route.team, as_json=as_json)
    families = load(config.load_families_folder(file))
    for name in unfit(catalog, families, route.feature, route.team):
        output.note(
            f"Models of the family of '{name}' are not made for {route.feature};"
            f" `inhouse families show {catalog.deployments[name].family}` tells what for."
        )


def _show(catalog: Catalog, feature: Feature, team: str, *, as_json: bool) -> None:
    if as_json:
        output.json(_view(catalog, feature, team))
    else:
        click.echo(f"{route_name(feature, team)}: {_words(catalog, feature, team)}")


def _view(catalog: Catalog, feature: Feature, team: str) -> dict[str, object]:
    route = catalog.route(feature, team) or Route(feature=feature, team=team)
    own = _is_own(route, feature, team)
    return {
        "feature": feature,
        "team": team,
        "deployments": route.deployments,
        "weights": route.weights,
        "disabled": route.disabled,
        "declared": own and route.declared,
        "inherits": None if own else route_name(route.feature, route.team),
        "gitlab": settings_of(feature),
    }


def _words(catalog: Catalog, feature: Feature, team: str) -> str:
    """Say what serves a feature."""
    route = catalog.route(feature, team)
    if route is None:
        return "nothing yet"
    served = "disabled" if route.disabled else _served(route)
    if _is_own(route, feature, team):
        return f"{served} (declared)" if route.declared else served
    if route.team == team:
        return f"{served} (as {route.feature})"
    inherited = "" if route.feature is feature else f" {route.feature}"
    return f"{served} (as everybody's{inherited})"


def _served(route: Route) -> str:
    """Name the deployments, in a group with their shares."""
    if not route.weights:
        return ", ".join(route.deployments)
    whole = sum(route.weights)
    return ", ".join(
        f"{name} {weight / whole:.0%}" if weight else f"{name} if these fail"
        for name, weight in sorted(
            zip(route.deployments, route.weights, strict=True), key=lambda each: not each[1]
        )
    )


def _is_own(route: Route, feature: Feature, team: str) -> bool:
    return route.feature is feature and route.team == team
