"""``inhouse keys``: the API keys of callers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from msgspec import UNSET

from inhouse.cli import arguments, names, output
from inhouse.cli.command import Group, json_option
from inhouse.cli.registry import author, opened
from inhouse.core.catalog import ApiKey, Catalog, Role
from inhouse.core.feature import Feature
from inhouse.core.naming import did_you_mean
from inhouse.store import KeyChange

ROLES = {
    Role.ADMIN: "everything",
    Role.DEVELOPER: "asks models",
    Role.AUDITOR: "reads registry and traces",
}


@click.group(
    "keys",
    cls=Group,
    examples=["inhouse keys create ada --role developer", "inhouse keys list"],
)
def command() -> None:
    """Create, list, change and revoke the API keys that callers show.

    Of a key only a digest is kept, so it is shown once: when it is created.
    """


@command.command(
    "create",
    examples=[
        "inhouse keys create ada --role developer",
        "inhouse keys create ci --role developer --model completion",
        "inhouse keys create ada --role developer --team payments \\",
        "    --requests-per-minute 300 --tokens-per-minute 200000",
        "export INHOUSE_API_KEY=$(inhouse keys create me --role developer)",
    ],
)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="; ".join(f"{role.value}: {text}" for role, text in ROLES.items()) + ".",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    shell_complete=names.models,
    help="A feature or deployment that the key may use; may be repeated. None: all.",
)
@click.option("--team", default="", metavar="NAME", shell_complete=names.teams, help="Its team.")
@arguments.limit_options
@json_option
@click.pass_obj
def create(
    file: Path | None,
    name: str,
    role: str,
    models: tuple[str, ...],
    team: str,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    as_json: bool,
) -> None:
    """Create an API key and print it: the key on standard output, all else beside it."""
    limits = arguments.limits(requests_per_minute, tokens_per_minute)
    with opened(file) as registry:
        key = registry.create_key(
            name, Role(role), models, author=author(), team=team, limits=limits
        )
        catalog = registry.snapshot()
    if as_json:
        shown = _view(_key(catalog, name))
        output.json({**shown, "key": key.reveal()})
        return
    _remark(catalog, models)
    output.note(f"The key '{name}' ({role}) is shown this once; put it where its holder finds it.")
    click.echo(key.reveal())


@command.command("list", examples=["inhouse keys list", "inhouse keys list --json"])
@json_option
@click.pass_obj
def show(file: Path | None, as_json: bool) -> None:
    """List the keys, without the keys themselves."""
    with opened(file) as registry:
        keys = sorted(registry.snapshot().keys.values(), key=lambda key: key.name)
    if as_json:
        output.json([_view(key) for key in keys])
        return
    rows = [
        (
            key.name,
            key.role.value,
            ", ".join(key.models) or "all",
            key.team,
            output.limit(key.limits.requests_per_minute),
            output.limit(key.limits.tokens_per_minute),
            output.when(key.created_at),
            "inhouse.toml" if key.declared else "",
        )
        for key in keys
    ]
    output.table(
        ["NAME", "ROLE", "MODELS", "TEAM", "REQUESTS/MIN", "TOKENS/MIN", "CREATED", "DECLARED IN"],
        rows,
        empty="There are no keys yet. Make one with: inhouse keys create NAME --role developer",
    )


@command.command(
    "set",
    examples=[
        "inhouse keys set ada --team payments --tokens-per-minute 500000",
        "inhouse keys set ada --no-team --requests-per-minute none",
        "inhouse keys set ci --model completion --model chat",
    ],
)
@click.argument("name", shell_complete=names.keys)
@click.option("--team", metavar="NAME", shell_complete=names.teams, help="Put it into this team.")
@click.option("--no-team", is_flag=True, help="Take it out of its team.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    shell_complete=names.models,
    help="A feature or deployment that the key may use from now on, and no other; may be repeated.",
)
@click.option("--all-models", is_flag=True, help="Let it use every model.")
@arguments.limit_options
@json_option
@click.pass_obj
def put(
    file: Path | None,
    name: str,
    team: str | None,
    no_team: bool,
    models: tuple[str, ...],
    all_models: bool,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    as_json: bool,
) -> None:
    """Change the team, the models or the limits of the key NAME; what is left out stays."""
    if (team is not None and no_team) or (models and all_models):
        raise click.UsageError("--no-team goes without --team, and --all-models without --model.")
    change = KeyChange(
        team="" if no_team else UNSET if team is None else team,
        models=models if models or all_models else UNSET,
        requests_per_minute=arguments.changed(requests_per_minute),
        tokens_per_minute=arguments.changed(tokens_per_minute),
    )
    if change == KeyChange():
        raise click.UsageError("Say what to change: a team, models or a limit.")
    with opened(file) as registry:
        registry.change_key(name, change, author=author())
        catalog = registry.snapshot()
    if as_json:
        output.json(_view(_key(catalog, name)))
        return
    _remark(catalog, models)
    click.echo(f"The key '{name}' is changed.")


@command.command("revoke", examples=["inhouse keys revoke ada"])
@click.argument("name", shell_complete=names.keys)
@json_option
@click.pass_obj
def revoke(file: Path | None, name: str, as_json: bool) -> None:
    """Revoke the key NAME; it stops working within two seconds."""
    with opened(file) as registry:
        registry.revoke_key(name, author=author())
    if as_json:
        output.json({"revoked": name})
    else:
        click.echo(f"The key '{name}' is revoked.")


def _remark(catalog: Catalog, models: Iterable[str]) -> None:
    """Say which models a key names that are not there."""
    known = {*Feature, *catalog.deployments}
    for model in models:
        if model not in known:
            hint = did_you_mean(model, sorted(known)) or "."
            output.note(f"There is no feature or deployment '{model}' yet{hint}")


def _key(catalog: Catalog, name: str) -> ApiKey:
    return next(key for key in catalog.keys.values() if key.name == name)


def _view(key: ApiKey) -> dict[str, object]:
    return {
        "name": key.name,
        "role": key.role,
        "models": key.models,
        "team": key.team,
        "requests_per_minute": key.limits.requests_per_minute,
        "tokens_per_minute": key.limits.tokens_per_minute,
        "declared": key.declared,
        "created_at": key.created_at,
    }
