"""``inhouse deployments set``: correct a deployment without entering it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from inhouse import config
from inhouse.cli import arguments, described, names, output
from inhouse.cli.command import Command, json_option
from inhouse.cli.registering import checked
from inhouse.cli.registry import author, deployment, opened_with
from inhouse.cli.secrets import WHERE, secret_reference
from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.naming import did_you_mean
from inhouse.core.secret import Secret


@click.command(
    "set",
    cls=Command,
    examples=[
        "inhouse deployments set gpt --option api_version=2024-10-21",
        "inhouse deployments set sonnet --api-key env:AWS_KEYS --no-option profile",
        "inhouse deployments set codestral --max-concurrent 16 --deadline total=10",
    ],
)
@click.argument("name", shell_complete=names.deployments)
@click.option("--family", shell_complete=names.families, help="Model family.")
@click.option("--identifier", metavar="PROVIDER/MODEL", help="Who talks to it, and its model.")
@click.option("--endpoint", metavar="URL", help="Where the upstream is; '' for the provider's own.")
@click.option(
    "--api-key",
    callback=secret_reference,
    metavar="REFERENCE",
    help=f"Where the upstream's key is: {WHERE}.",
)
@click.option("--no-api-key", is_flag=True, help="Forget the upstream's key.")
@click.option(
    "--option",
    "options",
    callback=arguments.pairs,
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the provider; the others stay. May be repeated.",
)
@click.option(
    "--no-option", multiple=True, metavar="NAME", help="Take a setting away. May be repeated."
)
@click.option(
    "--deadline",
    "deadlines",
    callback=arguments.deadlines,
    multiple=True,
    metavar="PHASE=SECONDS",
    help="A time limit; the others stay. May be repeated.",
)
@click.option(
    "--no-deadline",
    type=click.Choice(arguments.PHASES),
    multiple=True,
    metavar="PHASE",
    help="Let the settings say this time limit. May be repeated.",
)
@click.option(
    "--max-concurrent",
    callback=arguments.at_once,
    metavar="N",
    help="Requests that it gets at once from one process; 'none' for no limit.",
)
@json_option
@click.pass_obj
def command(  # the options of a deployment, one each
    file: Path | None,
    name: str,
    family: str | None,
    identifier: str | None,
    endpoint: str | None,
    api_key: Secret | None,
    no_api_key: bool,
    options: dict[str, Any],
    no_option: tuple[str, ...],
    deadlines: DeadlineOverrides,
    no_deadline: tuple[str, ...],
    max_concurrent: int | None,
    as_json: bool,
) -> None:
    """Correct the deployment NAME; what is left out stays. Asks the upstream nothing."""
    if no_api_key and api_key is not None:
        raise click.UsageError("--no-api-key goes without --api-key.")
    given = {"family": family, "identifier": identifier, "endpoint": endpoint, "api_key": api_key}
    change: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if no_api_key:
        change["api_key"] = Secret()
    if max_concurrent is not None:
        change["max_concurrent"] = max_concurrent or None
    configured = config.load(file)
    with opened_with(configured) as registry:
        found = deployment(registry.snapshot(), name)
        if options or no_option:
            change["options"] = _options(found, options, no_option)
        if deadlines != DeadlineOverrides() or no_deadline:
            change["deadlines"] = _deadlines(found, deadlines, no_deadline)
        if not change:
            raise click.UsageError("Say what to change, as in --endpoint URL.")
        (wanted,) = checked(configured, [msgspec.structs.replace(found, **change)])
        registry.put_deployment(wanted, author=author())
        catalog = registry.snapshot()
    if as_json:
        output.json(described.view(catalog, catalog.deployments[name]))
        return
    click.echo(f"The deployment '{name}' is changed.")
    output.note(f"Does it work?   inhouse deployments test {output.argument(name)}")


def _options(found: Deployment, more: dict[str, Any], less: tuple[str, ...]) -> dict[str, Any]:
    """Return the options with some more and some less."""
    for each in less:
        if each not in found.options:
            hint = did_you_mean(each, found.options) or "."
            raise click.UsageError(
                f"The deployment '{found.name}' has no option '{each}' to take away{hint}"
            )
    return {key: value for key, value in found.options.items() if key not in less} | more


def _deadlines(
    found: Deployment, more: DeadlineOverrides, less: tuple[str, ...]
) -> DeadlineOverrides:
    """Return the deadlines with some more and some less."""
    stay = msgspec.structs.replace(found.deadlines, **dict.fromkeys(less))
    given = msgspec.structs.asdict(more).items()
    return msgspec.structs.replace(stay, **{key: each for key, each in given if each is not None})
