"""Secrets that people hand to a command: never as an argument, which every process can read."""

from __future__ import annotations

import re
import sys

import click

from inhouse.config import secret
from inhouse.core.secret import Secret

WHERE = "env:NAME, file:PATH, or - to be asked"

_REFERENCE = re.compile(r"(env|file):.+", re.DOTALL)


def secret_reference(_: click.Context, param: click.Parameter, value: str | None) -> Secret | None:
    """Follow an option's reference to a secret; refuse the secret itself, without repeating it."""
    if value is None:
        return None
    if value == "-":
        return _asked()
    if not _REFERENCE.fullmatch(value):
        raise click.BadParameter(
            "an argument can be read by every process and stays in the shell's history, so the key"
            f" itself cannot stand here. Say where it is: {WHERE}."
        )
    return secret(value, param.opts[0])


def _asked() -> Secret:
    """Ask at a terminal without showing what is typed, else read a line of standard input."""
    if sys.stdin.isatty():
        found: str = click.prompt("API key", hide_input=True, err=True)
    else:
        found = sys.stdin.readline()
    if not found.strip():
        raise click.BadParameter("there is no key on standard input.")
    return Secret(found.strip())
