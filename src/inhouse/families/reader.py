"""Read family files: the packaged ones, and those of a customer's own folder."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from inhouse.errors import ConfigError
from inhouse.families.catalogue import Families
from inhouse.families.family import Family

OWN = frozenset({"title", "aliases", "models"})  # what a variant does not inherit
UNKNOWN = re.compile(r"^Object contains unknown field `(?P<key>.*)`$")


def load(extra: Path | None = None) -> Families:
    """Read the packaged families and, where given, every ``*.toml`` of the folder `extra`.

    Raises:
        ConfigError: a file is wrong, or a name is taken; the message names file and path.

    """
    folders: list[Traversable] = [files("inhouse.families") / "data"]
    if extra is not None:
        folders.append(extra)
    families: list[Family] = []
    owners: dict[str, str] = {}
    for shown, file in (each for folder in folders for each in _listed(folder)):
        for family in read(shown, _text(shown, file)):
            for name in (family.name, *family.aliases):
                if name in owners:
                    raise ConfigError(
                        f"{shown}: the name '{name}' is taken by {owners[name]}; choose another"
                    )
                owners[name] = shown
            families.append(family)
    return Families(families)


def read(shown: str, content: str) -> tuple[Family, ...]:
    """Decode one family file into its family and that one's variants.

    A variant says only where it differs from the file's family; title, aliases and models are its
    own. `shown` is the file's name for messages.

    Raises:
        ConfigError: the file is no TOML, or not of a family's form.

    """
    try:
        table = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{shown}: no valid TOML: {error}") from None
    variants = _table(shown, table.pop("variants", {}), "variants")
    shared = {key: value for key, value in table.items() if key not in OWN}
    families = [_family(shown, table)]
    for name, own in variants.items():
        where = f"variants.{name}"
        families.append(_family(shown, shared | _table(shown, own, where) | {"name": name}, where))
    return tuple(families)


def _table(shown: str, value: object, where: str) -> dict[str, Any]:
    try:
        return msgspec.convert(value, dict[str, Any])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{shown}: {_explained(str(error), where)}") from None


def _family(shown: str, table: dict[str, Any], where: str = "") -> Family:
    try:
        return msgspec.convert(table, Family)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{shown}: {_explained(str(error), where)}") from None


def _listed(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    """Yield the TOML files of a folder by name; the packaged ones are shown without their path."""
    packaged = not isinstance(folder, Path) or folder.parent.name == "families"
    try:
        found = sorted(folder.iterdir(), key=lambda file: file.name)
    except OSError as error:
        raise ConfigError(f"{folder}: no folder of families: {error.strerror}") from None
    for file in found:
        # Editors leave hidden files beside the one they hold open.
        if file.name.endswith(".toml") and not file.name.startswith("."):
            yield (f"families/{file.name}" if packaged else str(file)), file


def _text(shown: str, file: Traversable) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown}: unreadable: {error}") from None


def _explained(message: str, where: str) -> str:
    """Turn msgspec's message into ours: what is wrong, then the dotted path of the place."""
    what, _, inner = message.partition(" - at `$")
    where = f"{where}{inner.removesuffix('`')}".lstrip(".")
    unknown = UNKNOWN.match(what)
    if unknown is not None:
        key = unknown["key"]
        return f"unknown key `{key}` at {f'{where}.{key}' if where else key}"
    what = what[:1].lower() + what[1:]
    return f"{what} at {where}" if where else what
