"""What several commands take: pairs of name and value, and limits that may be none."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from msgspec import UNSET, UnsetType

from inhouse.cli.command import Decorated
from inhouse.core.catalog import Limits
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.naming import did_you_mean

MOST_PER_MINUTE = 1_000_000_000
MOST_AT_ONCE = 65_536
PHASES = DeadlineOverrides.__struct_fields__


def pairs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """Take each ``NAME=VALUE`` apart; a value that reads as JSON is one, any other is a string."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise click.BadParameter("write NAME=VALUE, as in ca_file=/etc/ssl/our-ca.pem.")
        try:
            found[name] = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            found[name] = text
    return found


def deadlines(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> DeadlineOverrides:
    """Take each ``PHASE=SECONDS`` apart."""
    found: dict[str, str] = {}
    for each in given:
        phase, seconds = each.partition("=")[::2]
        if phase not in PHASES:
            hint = did_you_mean(phase, PHASES) or "."
            raise click.BadParameter(
                f"write PHASE=SECONDS, as in total=20; PHASE is one of {', '.join(PHASES)}{hint}"
            )
        found[phase] = seconds
    try:
        return msgspec.convert(found, DeadlineOverrides, strict=False)
    except msgspec.ValidationError as error:
        fault, path = str(error).replace("`", "").partition(" - at ")[::2]
        raise click.BadParameter(f"{path.removeprefix('$.')}: {fault}.") from None


def at_once(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    """Return a number of at least 1, 0 for ``none``, None where the option is not given."""
    return _number(given, MOST_AT_ONCE)


def _per_minute(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    """Return a number of at least 1, 0 for ``none``, None where the option is not given."""
    return _number(given, MOST_PER_MINUTE)


def _number(given: str | None, most: int) -> int | None:
    if given is None:
        return None
    if given == "none":
        return 0
    if not (given.isascii() and given.isdecimal() and 1 <= int(given) <= most):
        raise click.BadParameter(f"'{given}' is not a number from 1 to {most}, nor 'none'.")
    return int(given)


def limit_options(command: Decorated) -> Decorated:
    """Add ``--requests-per-minute`` and ``--tokens-per-minute``."""
    texts = {"tokens": "Tokens, asked and answered,", "requests": "Requests"}
    for unit, text in texts.items():
        command = click.option(
            f"--{unit}-per-minute",
            callback=_per_minute,
            metavar="N",
            help=f"{text} in a minute; 'none' for no limit.",
        )(command)
    return command


def limits(requests_per_minute: int | None, tokens_per_minute: int | None) -> Limits:
    """Return the limits that the two options give to something new."""
    return Limits(
        requests_per_minute=requests_per_minute or None, tokens_per_minute=tokens_per_minute or None
    )


def changed(value: int | None) -> int | UnsetType | None:
    """Return what one of the two options changes: UNSET where it was not given."""
    return UNSET if value is None else value or None
