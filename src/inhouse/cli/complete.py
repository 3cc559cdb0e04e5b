"""``inhouse complete``: fill in code at a cursor."""

from __future__ import annotations

from pathlib import Path

import click

from inhouse.cli import names, output
from inhouse.cli.asking import asked, print_answer, printed, whole
from inhouse.cli.command import Command, json_option
from inhouse.cli.place import read_hole
from inhouse.client import Client
from inhouse.core.requests import CompletionRequest, Params


@click.command(
    "complete",
    cls=Command,
    examples=[
        "inhouse complete src/app.py:12:20",
        "inhouse complete src/app.py:12:20 --n 3 --json",
    ],
)
@click.argument("place", metavar="FILE:LINE:COLUMN")
@click.option(
    "--model",
    default="completion",
    show_default=True,
    shell_complete=names.models,
    help="Feature or deployment to ask.",
)
@click.option(
    "--n",
    type=click.IntRange(1, 16),
    metavar="N",
    default=1,
    show_default=True,
    help="Suggestions.",
)
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Longest suggestion.")
@click.option("--stream", is_flag=True, help="Print the suggestion as it is written.")
@json_option
@click.pass_obj
def command(
    file: Path | None,
    place: str,
    model: str,
    n: int,
    max_tokens: int | None,
    stream: bool,
    as_json: bool,
) -> None:
    """Ask for what goes in at a cursor, and print only that.

    Lines and columns count from 1, columns in characters; without a column the cursor is at the
    line's end. Asks the gateway at INHOUSE_URL with the key in INHOUSE_API_KEY.
    """
    hole = read_hole(place)
    request = CompletionRequest(
        prefix=hole.prefix,
        suffix=hole.suffix,
        path=hole.path,
        fresh=True,
        params=Params(max_tokens=max_tokens, n=n),
    )
    if stream and n == 1 and not as_json:
        text = asked(file, lambda client: printed(client.complete(request, model)))
        _note_silence([text])
        return

    async def ask(client: Client) -> None:
        answer, milliseconds = await whole(client.complete(request, model))
        if as_json:
            print_answer(model, answer, milliseconds)
            return
        texts = [choice.text for choice in answer.choices]
        for number, text in enumerate(texts):
            if number:
                click.echo("---")
            if text:
                write = output.pieces()
                write(text if text.endswith("\n") else f"{text}\n")
        _note_silence(texts)

    asked(file, ask)


def _note_silence(texts: list[str]) -> None:
    if not any(texts):
        output.note("No suggestion for this place.")
