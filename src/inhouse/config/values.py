"""What a variable of the environment holds, read; every mistake names the variable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from inhouse.errors import ConfigError

TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
FALSE = frozenset({"0", "false", "f", "no", "n", "off"})

MOST_WORKERS = 64

LEVELS: dict[str, Literal["debug", "info", "warning", "error"]] = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
    "critical": "error",
}


def text(_: str, value: str) -> str:
    """Return the value as it stands."""
    return value


def truth(name: str, value: str) -> bool:
    """Return whether the value says yes."""
    if value.lower() not in TRUE | FALSE:
        raise ConfigError(f"{name}: expected true or false, got '{value}'")
    return value.lower() in TRUE


def port(name: str, value: str) -> int:
    """Return a port."""
    if not (value.isascii() and value.isdecimal()) or int(value) > 65535:
        raise ConfigError(f"{name}: expected a port from 0 to 65535, got '{value}'")
    return int(value)


def workers(name: str, value: str) -> int:
    """Return a number of processes."""
    if not (value.isascii() and value.isdecimal()) or not 1 <= int(value) <= MOST_WORKERS:
        raise ConfigError(f"{name}: expected a number from 1 to {MOST_WORKERS}, got '{value}'")
    return int(value)


def seconds(name: str, value: str) -> float:
    """Return a time in seconds, of an hour at most."""
    try:
        found = float(value)
    except ValueError:
        found = 0
    if not 0 < found <= 3600:
        raise ConfigError(f"{name}: expected seconds above 0 and up to 3600, got '{value}'")
    return found


def level(name: str, value: str) -> Literal["debug", "info", "warning", "error"]:
    """Return a level of the log."""
    found = LEVELS.get(value.lower())
    if found is None:
        raise ConfigError(f"{name}: expected one of debug, info, warning, error, got '{value}'")
    return found


def url(name: str, value: str) -> str:
    """Return a URL of HTTP without slashes at its end; empty stays empty."""
    if value and (wrong := wrong_url(value)):
        raise ConfigError(f"{name}: {wrong}")
    return value.rstrip("/")


def style(name: str, value: str) -> str:
    """Return the format of a log that is JSON or not."""
    return "json" if truth(name, value) else "console"


def file(_: str, value: str) -> str:
    """Return a path; a relative one starts at the current folder."""
    return str(Path(value).absolute())


def key(_: str, value: str) -> str:
    r"""Return a key as PEM, whose line ends may be written as ``\n``: not all files hold lines."""
    return value.replace("\\n", "\n")


def listed(value: str) -> list[str]:
    """Return what commas separate."""
    return [each.strip() for each in value.split(",") if each.strip()]


def wrong_url(value: str) -> str:
    """Say why this is no URL of HTTP that may be written down, empty where it is one."""
    if "@" in value.partition("://")[2].partition("/")[0]:
        return "a URL holds no credentials"
    try:
        port = urlsplit(value).port
    except ValueError:
        port = -1
    if port == -1 or not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", value):
        return f"expected a URL such as https://gitlab.example, got '{value}'"
    return ""
