"""Write docs/cli.md from the command line's own help; ``--check`` only compares.

python tools/cli_reference.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from inhouse.cli import main
from inhouse.cli.program import SECTIONS

FILE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"

HEAD = """\
# Command line

Every command has `--help` with examples and `--json` for programs. Answers go to standard output;
notes, progress and errors to standard error. Colours are used at a terminal only, and not where
`NO_COLOR` is set. Nothing prints an upstream's key; a caller's key is shown once, when it is made.

| exit status | means |
|---|---|
| 0 | all went well; also when Ctrl-C or SIGTERM stopped `serve` or the serving `demo` in order |
| 1 | something failed: one line on standard error says what, and what to do |
| 2 | the call itself was wrong |
| 130 | Ctrl-C |

Commands about deployments, teams, routes, keys, settings, revisions and traces open the store that
the configuration names: they run on a host of the gateway, whether it runs or not, and it takes
their changes over within seconds. The account that runs a command is the author in the revision.
`complete`, `generate`, `chat` and `replay` ask a running gateway over HTTP: the one at
`INHOUSE_URL`, by default at the configured host and port, with the key in `INHOUSE_API_KEY`.

## Completion in the shell

Commands, options, and the names of deployments, features, families, teams, keys and settings
complete:

    eval "$(_INHOUSE_COMPLETE=bash_source inhouse)"      # bash, in ~/.bashrc
    eval "$(_INHOUSE_COMPLETE=zsh_source inhouse)"       # zsh, in ~/.zshrc
    _INHOUSE_COMPLETE=fish_source inhouse | source       # fish, in ~/.config/fish/config.fish

This page is made from the commands' own help by `tools/cli_reference.py`; a test keeps it so.
"""


def reference() -> str:
    """Return the whole page."""
    root = click.Context(main, info_name="inhouse", **main.context_settings)
    parts = [HEAD, _section("inhouse", main, root, 2)]
    for title, section in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in section:
            command = main.get_command(root, name)
            if command is not None:
                parts.extend(_commands(command, root, name))
    return "\n".join(parts)


def _commands(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    """Yield the sections of a command and of those below it."""
    context = click.Context(command, parent=parent, info_name=name)
    yield _section(context.command_path, command, context, 3)
    if isinstance(command, click.Group):
        for below in sorted(command.commands):
            yield from _commands(command.commands[below], context, below)


def _section(title: str, command: click.Command, context: click.Context, level: int) -> str:
    return f"{'#' * level} {title}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    page = reference()
    if "--check" not in sys.argv:
        FILE.write_text(page)
    elif not FILE.exists() or FILE.read_text() != page:
        sys.exit("docs/cli.md is not what the commands say; run: python tools/cli_reference.py")
