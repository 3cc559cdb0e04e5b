"""``inhouse keys``: the API keys of callers."""

from __future__ import annotations

from pathlib import Path

import click

from inhouse.cli import names, output
from inhouse.cli.command import Group, json_option
from inhouse.cli.registry import author, opened
from inhouse.core.catalog import ApiKey, Feature, Role
from inhouse.core.naming import did_you_mean

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
    """Create, list and revoke the API keys that callers show.

    Of a key only a digest is kept, so it is shown once: when it is created.
    """


@command.command(
    "create",
    examples=[
        "inhouse keys create ada --role developer",
        "inhouse keys create ci --role developer --model completion",
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
@json_option
@click.pass_obj
def create(file: Path | None, name: str, role: str, models: tuple[str, ...], as_json: bool) -> None:
    """Create an API key and print it: the key on standard output, all else beside it."""
    with opened(file) as registry:
        key = registry.create_key(name, Role(role), models, author=author())
        known = {*Feature, *registry.snapshot().deployments}
    if as_json:
        output.json({"name": name, "role": role, "models": models, "key": key.reveal()})
        return
    for model in models:
        if model not in known:
            hint = did_you_mean(model, sorted(known)) or "."
            output.note(f"There is no feature or deployment '{model}' yet{hint}")
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
            output.when(key.created_at),
            "inhouse.toml" if key.declared else "",
        )
        for key in keys
    ]
    output.table(
        ["NAME", "ROLE", "MODELS", "CREATED", "DECLARED IN"],
        rows,
        empty="There are no keys yet. Make one with: inhouse keys create NAME --role developer",
    )


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


def _view(key: ApiKey) -> dict[str, object]:
    return {
        "name": key.name,
        "role": key.role,
        "models": key.models,
        "declared": key.declared,
        "created_at": key.created_at,
    }
