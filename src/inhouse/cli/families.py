"""``inhouse families``: what is known of model families."""

from __future__ import annotations

from pathlib import Path

import click

from inhouse import config
from inhouse.cli import names, output
from inhouse.cli.command import Group, json_option
from inhouse.families import Family, load


@click.group(
    "families",
    cls=Group,
    examples=["inhouse families list", "inhouse families show codestral"],
)
def command() -> None:
    """Show what is known of model families: how they are asked, their licences and ratings."""


@command.command("list", examples=["inhouse families list", "inhouse families list --json"])
@json_option
@click.pass_obj
def listed(file: Path | None, as_json: bool) -> None:
    """List the families that a deployment can be of."""
    families = list(load(config.load_families_folder(file)))
    if as_json:
        output.json([_summary(each) for each in families])
        return
    rows = [
        (
            each.name,
            each.completion.value,
            "yes" if each.chat else "no",
            f"{each.window}",
            ", ".join(dict.fromkeys(model.licence.spdx for model in each.models)),
            each.title,
        )
        for each in families
    ]
    output.table(["FAMILY", "COMPLETION", "CHAT", "WINDOW", "LICENCES", "TITLE"], rows, empty="")


@command.command(
    "show", examples=["inhouse families show codestral", "inhouse families show qwen-coder --json"]
)
@click.argument("name", shell_complete=names.families)
@json_option
@click.pass_obj
def show(file: Path | None, name: str, as_json: bool) -> None:
    """Show the family NAME: special tokens, licence, hardware, ratings with their sources."""
    family = load(config.load_families_folder(file)).get(name)
    if as_json:
        output.json(family)
        return
    output.facts(_facts(family))
    for model in family.models:
        rated = model.ratings
        click.echo()
        output.facts(
            [
                ("model", model.title),
                ("licence", f"{model.licence.spdx} (Blue Oak: {model.licence.blue_oak})"),
                ("", model.licence.source),
                ("hardware", model.hardware.minimum),
                ("", model.hardware.source),
                ("completion", rated.completion.value),
                ("generation", rated.generation.value),
                ("chat", rated.chat.value),
                ("", rated.source),
            ]
        )


def _facts(family: Family) -> list[tuple[str, output.Cell]]:
    found: list[tuple[str, output.Cell]] = [
        ("family", family.name),
        ("title", family.title),
        ("also called", ", ".join(family.aliases) or "-"),
        ("completion", family.completion.value),
        ("generation", family.generation.value),
        ("chat", "yes" if family.chat else "no"),
        ("window", f"{family.window} tokens by default"),
    ]
    if family.fim is not None:
        found.append(("special tokens", f"{' '.join(family.fim.tokens)} ({family.fim.order})"))
    return found


def _summary(family: Family) -> dict[str, object]:
    return {
        "name": family.name,
        "title": family.title,
        "aliases": family.aliases,
        "completion": family.completion,
        "generation": family.generation,
        "chat": family.chat,
        "window": family.window,
        "licences": list(dict.fromkeys(model.licence.spdx for model in family.models)),
    }
