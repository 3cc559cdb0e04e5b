"""The root of the command line: what there is, and how it ends."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

import inhouse
from inhouse.cli.command import WIDTH, write_examples
from inhouse.errors import InhouseError

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended, as shells have it."""

SECTIONS = {
    "See it work": {
        "demo": "Serve a repository's own index, and ask it for suggestions.",
    },
    "Run": {
        "serve": "Start the gateway.",
        "doctor": "Say what is wrong with this installation, and how to mend it.",
    },
    "Decide what serves what": {
        "deployments": "Models at upstreams: add, list, show, test, remove.",
        "routes": "Which deployments serve a feature: set, list, disable, inherit.",
        "teams": "Keys that share limits: create, list, show, set, remove.",
        "keys": "Callers' API keys: create, list, set, revoke.",
        "settings": "Limits and timeouts: list, set, reset.",
        "families": "What is known of model families: list, show.",
        "docs": "GitLab's documentation for chat: build, show, search.",
        "apply": "Bring the registry to what a file lists.",
        "revisions": "Every change of the registry: list, show, roll back.",
        "traces": "What was asked, by whom, and how it went.",
    },
    "Ask a running gateway": {
        "complete": "Fill in code at a cursor.",
        "generate": "Write code from an instruction.",
        "chat": "Talk to the model that serves chat.",
        "replay": "Play recorded typing as an editor, and count what it costs.",
    },
}
SUMMARIES = {name: text for section in SECTIONS.values() for name, text in section.items()}


class Program(click.Group):
    """The root group; imports a command when it is called, so that ``--help`` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Name every command."""
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None where there is none of that name."""
        if cmd_name not in SUMMARIES:
            return None
        return import_module(f"inhouse.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands by what they are for."""
        widest = max(map(len, SUMMARIES))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), text) for name, text in section.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples."""
        write_examples(formatter, ["inhouse demo", "inhouse --config inhouse.toml serve"])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the commands without importing any."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=text)
            for name, text in SUMMARIES.items()
            if name.startswith(incomplete)
        ]

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # pyright: ignore[reportIncompatibleMethodOverride]  # this one always ends the program
        """Run the command line, and end the program; whatever happens is told in a sentence.

        The status is 0 where all went well, 1 where not, 2 for a wrong call, 130 after Ctrl-C.
        """
        extra["standalone_mode"] = False
        for stream in (sys.stdout, sys.stderr):
            # A stream that knows few characters must not stop what has more to tell.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            status: int | None = super().main(args, **extra)
        except click.ClickException as error:
            failed(_usage(error))
            status = error.exit_code
        except InhouseError as error:
            status = failed(str(error))
        except click.Abort as abort:
            interrupted = isinstance(abort.__cause__, KeyboardInterrupt) or not abort.__cause__
            status = INTERRUPTED if interrupted else failed("The input ended too early.")
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
            status = failed(f"Cannot write: {error.strerror}." if full else _defect(error))
        except Exception as error:  # noqa: BLE001 -- people get a sentence, never a stack trace
            status = failed(_defect(error))
        sys.exit(status or 0)


def failed(message: str) -> int:
    """Tell on standard error what went wrong; return the exit status."""
    # Imported late: it is slow, and most calls need none of it.
    from inhouse.cli.output import complain  # noqa: PLC0415

    complain(message)
    return 1


def _usage(error: click.ClickException) -> str:
    """Say what is wrong with a call, and where its help is."""
    message = error.format_message()
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message}\nTry '{ctx.command_path} --help'." if ctx is not None else message


def _defect(error: Exception) -> str:
    """Say where an error came from that nobody foresaw; its text may hold anything, so not that."""
    at = error.__traceback__
    place = "nowhere"
    while at is not None:
        file = Path(at.tb_frame.f_code.co_filename)
        if "inhouse" in file.parts:
            place = f"{file.name}, line {at.tb_lineno}"
        at = at.tb_next
    kind = type(error).__name__
    return f"inhouse has a defect: {kind} in {place}. Please report it with what you did."


@click.group(
    cls=Program,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "terminal_width": WIDTH,
        "max_content_width": WIDTH,
    },
)
@click.version_option(inhouse.__version__, prog_name="inhouse")
@click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; else the first of $INHOUSE_CONFIG, ./inhouse.toml,"
    " ~/.config/inhouse/inhouse.toml and /etc/inhouse/inhouse.toml that exists.",
)
@click.pass_context
def main(ctx: click.Context, file: Path | None) -> None:
    """The AI gateway that a software team hosts itself.

    Code completion, code generation and chat, from models that run where the code is.
    """
    ctx.obj = file
