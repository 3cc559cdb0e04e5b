"""Commands and groups whose help ends in examples, and the options that many of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

WIDTH = 80
"""Columns of a help text, whatever the terminal: the reference in the docs is made from it."""


class Command(click.Command):
    """A command with examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        """Take what click takes, and the examples, one line each."""
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """Write the examples as they stand."""
        write_examples(formatter, self.examples)


class Group(click.Group):
    """A group of commands with examples."""

    command_class = Command

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        """Take what click takes, and the examples, one line each."""
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """Write the examples as they stand."""
        write_examples(formatter, self.examples)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Write a section of lines that are never wrapped: people copy them."""
    if examples:
        formatter.write_paragraph()
        formatter.write_heading("Examples")
        formatter.write("".join(f"  {example}\n" for example in examples))


def json_option(command: Decorated) -> Decorated:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)
