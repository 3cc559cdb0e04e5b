"""``inhouse routes``: which deployments serve a feature."""

from __future__ import annotations

from pathlib import Path

import click

from inhouse import config
from inhouse.cli import names, output
from inhouse.cli.command import Group, json_option
from inhouse.cli.diagnosis import unfit
from inhouse.cli.registry import author, opened
from inhouse.core.catalog import Catalog, Feature, Route
from inhouse.families import load

FEATURE = click.Choice([each.value for each in Feature])


@click.group(
    "routes",
    cls=Group,
    examples=["inhouse routes set completion codestral", "inhouse routes list"],
)
def command() -> None:
    """Decide which deployments serve a feature.

    A route lists deployments, the best first: the next one answers when one fails before its first
    word. Features are completion, generation and chat; chat.explain, chat.tests, chat.refactor and
    chat.fix inherit the route of chat unless they have their own.
    """


@command.command(
    "set",
    examples=[
        "inhouse routes set completion codestral",
        "inhouse routes set chat 'llama on vLLM' 'llama on the old machine'",
    ],
)
@click.argument("feature", type=FEATURE, metavar="FEATURE")
@click.argument("deployments", nargs=-1, required=True, shell_complete=names.deployments)
@json_option
@click.pass_obj
def put(file: Path | None, feature: str, deployments: tuple[str, ...], as_json: bool) -> None:
    """Let DEPLOYMENTS serve FEATURE, the best first.

    FEATURE is completion, generation, chat, chat.explain, chat.tests, chat.refactor or chat.fix.
    """
    route = Route(feature=Feature(feature), deployments=deployments)
    _change(file, route, as_json=as_json)


@command.command("disable", examples=["inhouse routes disable generation"])
@click.argument("feature", type=FEATURE, metavar="FEATURE")
@json_option
@click.pass_obj
def disable(file: Path | None, feature: str, as_json: bool) -> None:
    """Switch FEATURE off."""
    _change(file, Route(feature=Feature(feature), disabled=True), as_json=as_json)


@command.command("inherit", examples=["inhouse routes inherit chat.explain"])
@click.argument("feature", type=FEATURE, metavar="FEATURE")
@json_option
@click.pass_obj
def inherit(file: Path | None, feature: str, as_json: bool) -> None:
    """Remove the route of FEATURE: it takes its parent's; without a parent nothing serves it."""
    with opened(file) as registry:
        registry.remove_route(Feature(feature), author=author())
        _show(registry.snapshot(), Feature(feature), as_json=as_json)


@command.command("list", examples=["inhouse routes list", "inhouse routes list --json"])
@json_option
@click.pass_obj
def show(file: Path | None, as_json: bool) -> None:
    """List every feature and what serves it."""
    with opened(file) as registry:
        catalog = registry.snapshot()
    if as_json:
        output.json([_view(catalog, each) for each in Feature])
        return
    rows = [(each.value, _words(catalog, each)) for each in Feature]
    output.table(["FEATURE", "SERVED BY"], rows, empty="")


def _change(file: Path | None, route: Route, *, as_json: bool) -> None:
    with opened(file) as registry:
        registry.set_route(route, author=author())
        catalog = registry.snapshot()
    _show(catalog, route.feature, as_json=as_json)
    for name in unfit(catalog, load(config.load_families_folder(file)), route.feature):
        output.note(
            f"Models of the family of '{name}' are not made for {route.feature};"
            f" `inhouse families show {catalog.deployments[name].family}` tells what for."
        )


def _show(catalog: Catalog, feature: Feature, *, as_json: bool) -> None:
    if as_json:
        output.json(_view(catalog, feature))
    else:
        click.echo(f"{feature}: {_words(catalog, feature)}")


def _view(catalog: Catalog, feature: Feature) -> dict[str, object]:
    route = catalog.route(feature)
    return {
        "feature": feature,
        "deployments": () if route is None else route.deployments,
        "disabled": route is not None and route.disabled,
        "declared": route is not None and route.feature is feature and route.declared,
        "inherits": None if route is None or route.feature is feature else route.feature,
    }


def _words(catalog: Catalog, feature: Feature) -> str:
    """Say what serves a feature."""
    route = catalog.route(feature)
    if route is None:
        return "nothing yet"
    served = "disabled" if route.disabled else ", ".join(route.deployments)
    if route.feature is not feature:
        return f"{served} (as {route.feature})"
    return f"{served} (declared)" if route.declared else served
