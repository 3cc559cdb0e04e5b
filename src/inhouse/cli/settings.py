"""``inhouse settings``: limits and timeouts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from click.shell_completion import CompletionItem

from inhouse.cli import output
from inhouse.cli.command import Group, json_option
from inhouse.cli.registry import author, opened
from inhouse.core.settings import Settings, setting_help


def _names(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=text)
        for name, (_, text) in setting_help().items()
        if name.startswith(incomplete)
    ]


@click.group(
    "settings",
    cls=Group,
    examples=["inhouse settings list", "inhouse settings set completion_max_tokens 64"],
)
def command() -> None:
    """List and change limits and timeouts; a running gateway takes them over at once."""


@command.command("list", examples=["inhouse settings list", "inhouse settings list --json"])
@json_option
@click.pass_obj
def show(file: Path | None, as_json: bool) -> None:
    """List every setting with its value and default."""
    with opened(file) as registry:
        settings = registry.snapshot().settings
    described = setting_help()
    if as_json:
        output.json(
            {
                name: {"value": getattr(settings, name), "default": default, "help": text}
                for name, (default, text) in described.items()
            }
        )
        return
    rows = [
        (name, _written(getattr(settings, name)), _written(default), text)
        for name, (default, text) in described.items()
    ]
    output.table(["SETTING", "VALUE", "DEFAULT", "MEANING"], rows, empty="")


@command.command(
    "set",
    examples=[
        "inhouse settings set completion_max_tokens 64",
        "inhouse settings set chat_first_token_timeout 120",
        """inhouse settings set completion_exclude '["vendor/", "*.pem"]'""",
    ],
)
@click.argument("name", shell_complete=_names)
@click.argument("value")
@json_option
@click.pass_obj
def put(file: Path | None, name: str, value: str, as_json: bool) -> None:
    """Set NAME to VALUE: a number, true or false, or a JSON list."""
    try:
        given = msgspec.json.decode(value, type=int | float | bool | list[str])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise click.BadParameter(
            f"'{value}' is not a number, nor true or false, nor a list such as "
            """'["vendor/", "*.pem"]' with the quotation marks.""",
            param_hint="VALUE",
        ) from None
    _change(file, {name: given}, as_json=as_json)


@command.command("reset", examples=["inhouse settings reset completion_max_tokens"])
@click.argument("name", shell_complete=_names)
@json_option
@click.pass_obj
def reset(file: Path | None, name: str, as_json: bool) -> None:
    """Give NAME its default back."""
    _change(file, {name: None}, as_json=as_json)


def _change(file: Path | None, values: Mapping[str, Any], *, as_json: bool) -> None:
    with opened(file) as registry:
        registry.change_settings(values, author=author())
        settings: Settings = registry.snapshot().settings
    found = {name: getattr(settings, name) for name in values}
    if as_json:
        output.json(found)
        return
    for name, value in found.items():
        click.echo(f"{name} = {_written(value)}")


def _written(value: float | bool | Sequence[str]) -> str:
    """Return a value as `set` takes it."""
    if isinstance(value, Sequence):
        return json.dumps(list(value), ensure_ascii=False)
    return f"{value}".lower() if isinstance(value, bool) else f"{value:g}"
