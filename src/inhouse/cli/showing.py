"""How the demo looks, in 80 columns."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.text import Text

from inhouse.cli import output
from inhouse.cli.trial import Attempt, Example, Figures

WIDTH = 80
LINES_BEFORE = 6
LABEL = 12


def indexed(root: Path, kept: int, left_out: int, seconds: float) -> None:
    """Say what was indexed."""
    out = output.console()
    out.print(Text(f"{root}", style="bold"), soft_wrap=True)
    out.print(
        f"{kept} files indexed in {seconds:.1f} s, {left_out} left out to be asked about.\n",
        soft_wrap=True,
    )


def example(attempt: Attempt, number: int, asked: int) -> None:
    """Show the code before a cursor, and what was suggested there."""
    out = output.console()
    before = attempt.cursor.prefix.split("\n")
    line = len(before)
    out.print(
        Text.assemble(
            (f"{attempt.cursor.path}", "bold"), f", line {line}, which the index has never seen"
        ),
        soft_wrap=True,
    )
    click.echo()
    for at, text in enumerate(before[-LINES_BEFORE:], max(1, line - LINES_BEFORE + 1)):
        numbered = Text(f"{at:>6}  ", style="dim") + Text(_clipped(text, WIDTH - 8))
        out.print(numbered, soft_wrap=True)
    click.echo()
    suggested = Text("suggestion  ", style="dim")
    suggested.append(_clipped(attempt.text.rstrip("\n"), WIDTH - LABEL), style="bold green")
    out.print(suggested, soft_wrap=True)
    if attempt.right:
        verdict = "exactly what stands there"
    else:
        verdict = f"there stands: {attempt.cursor.target}"
    out.print(" " * LABEL + _clipped(f"{attempt.milliseconds:.0f} ms, {verdict}", WIDTH - LABEL))
    click.echo()
    out.print(
        f"That is place {number} of {asked} random ones, the first that got an answer.",
        style="dim",
    )


def figures(found: Figures, files: int) -> None:
    """Show what all places together gave."""
    out = output.console()
    click.echo()
    if not found.asked:
        out.print("The files that were left out hold no code to ask about.")
        return
    noun = "file that is" if files == 1 else "files that are"
    out.print(f"{found.asked} random places in {files} {noun} not in the index:\n")
    output.facts(
        [
            ("  answered", f"{found.answered} of {found.asked}"),
            ("  exactly what stands there", f"{found.right} of {found.answered}"),
            ("  median time", f"{found.median:.0f} ms"),
        ]
    )
    out.print(
        "\nThis is an index, not a language model: it answers where the repository\n"
        "repeats itself, and is silent elsewhere.",
        style="dim",
    )


def connect(url: str, key: str, example: Example, file: Path | None) -> None:
    """Print the address, the key, and what to paste for curl and two editors."""
    body = msgspec.json.encode(
        {"model": "completion", "prompt": example.prefix, "suffix": example.suffix}
    ).decode()
    _head("Address and key")
    click.echo(f"{url}/v1\n{key}")
    _head("curl")
    click.echo(f"curl -s {url}/v1/completions \\")
    click.echo(f"  -H 'Authorization: Bearer {key}' \\")
    click.echo("  -H 'Content-Type: application/json' \\")
    click.echo("  -d " + _quoted(body))
    _head("VS Code, JetBrains: Continue, in ~/.continue/config.yaml")
    click.echo(_CONTINUE.format(url=url, key=key), nl=False)
    _head("Neovim: minuet-ai.nvim, with INHOUSE_API_KEY set to the key")
    click.echo(_MINUET.format(url=url), nl=False)
    if file is not None:
        click.echo()
        output.console().print(
            Text(f"The demo's configuration and store are in\n{file.parent}", style="dim"),
            soft_wrap=True,
        )


_CONTINUE = """\
name: inhouse
version: 1.0.0
schema: v1
models:
- name: inhouse completion
  provider: openai
  model: completion
  apiBase: {url}/v1
  apiKey: {key}
  roles: [autocomplete]
  useLegacyCompletionsEndpoint: true
  promptTemplates:
    autocomplete: "<fim_prefix>{{{{{{prefix}}}}}}<fim_suffix>{{{{{{suffix}}}}}}<fim_middle>"
"""

_MINUET = """\
require("minuet").setup({{
  provider = "openai_fim_compatible",
  provider_options = {{ openai_fim_compatible = {{
    name = "inhouse", model = "completion", api_key = "INHOUSE_API_KEY",
    end_point = "{url}/v1/completions",
  }} }},
}})
"""


def _head(text: str) -> None:
    click.echo()
    output.console().print(Text(text, style="bold"), soft_wrap=True)


def _clipped(text: str, width: int) -> str:
    """Return one line of at most `width` columns, fit for a terminal."""
    line = output.plain(text.expandtabs(4)).replace("\n", " ")
    return line if len(line) <= width else line[: width - 1] + "…"


def _quoted(text: str) -> str:
    """Quote for a shell."""
    return "'" + text.replace("'", "'\\''") + "'"
