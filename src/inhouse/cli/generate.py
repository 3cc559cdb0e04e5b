"""``inhouse generate``: write code from an instruction."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from inhouse.cli import names
from inhouse.cli.asking import asked, print_answer, printed, whole
from inhouse.cli.command import Command, json_option
from inhouse.cli.place import Hole, read_hole
from inhouse.client import Client
from inhouse.core.requests import GenerationRequest, Params


@click.command(
    "generate",
    cls=Command,
    examples=[
        'inhouse generate "a function that parses an ISO date"',
        'inhouse generate "validate the input" --file src/app.py:40',
        "inhouse generate - < instruction.txt > parser.py",
    ],
)
@click.argument("instruction")
@click.option(
    "--file",
    "place",
    metavar="FILE[:LINE:COLUMN]",
    help="The file that the code is for, and where in it; else its end.",
)
@click.option(
    "--model",
    default="generation",
    show_default=True,
    shell_complete=names.models,
    help="Feature or deployment to ask.",
)
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Longest answer.")
@json_option
@click.pass_obj
def command(
    file: Path | None,
    instruction: str,
    place: str | None,
    model: str,
    max_tokens: int | None,
    as_json: bool,
) -> None:
    """Write code as INSTRUCTION says, and print only the code, as it is written.

    An INSTRUCTION of - is read from standard input. Asks the gateway at INHOUSE_URL with the key in
    INHOUSE_API_KEY.
    """
    hole = read_hole(place, whole_file=True) if place is not None else Hole("", "", "")
    request = GenerationRequest(
        instruction=sys.stdin.read() if instruction == "-" else instruction,
        prefix=hole.prefix,
        suffix=hole.suffix,
        path=hole.path,
        params=Params(max_tokens=max_tokens),
    )

    async def ask(client: Client) -> None:
        deltas = client.generate(request, model)
        if as_json:
            print_answer(model, *await whole(deltas))
        else:
            await printed(deltas)

    asked(file, ask)
