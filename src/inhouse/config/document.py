"""One TOML file as a tree whose every mistake is told with file and path."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import msgspec

from inhouse.core.naming import did_you_mean
from inhouse.errors import ConfigError

Shape = TypeVar("Shape")


class Document:
    """The tables of one TOML file; `file` is its path, or None for an empty one."""

    def __init__(self, file: Path | None, tables: dict[str, Any]) -> None:
        """Keep the tables; use `read` for a file."""
        self.file = file
        self.tables = tables

    @classmethod
    def read(cls, file: Path) -> Document:
        """Parse a file; raises `ConfigError` with the line where it is not TOML."""
        try:
            # Some editors put a mark before the text.
            return cls(file, tomllib.loads(file.read_text(encoding="utf-8-sig")))
        except OSError as error:
            raise ConfigError(f"{_shown(file)}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{_shown(file)}: not UTF-8 text, at byte {error.start}") from error
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigError(f"{_shown(file)}: not valid TOML: {error}") from error

    @property
    def folder(self) -> Path:
        """The folder that relative paths start at."""
        return self.file.absolute().parent if self.file is not None else Path.cwd()

    def fault(self, where: str, what: str) -> NoReturn:
        """Raise a `ConfigError` that names the file, the place in it and what is wrong there."""
        source = _shown(self.file) if self.file is not None else "environment"
        raise ConfigError(f"{source}: {where}: {what}" if where else f"{source}: {what}")

    def allow(self, sections: Iterable[str]) -> None:
        """Refuse every top-level key but these."""
        known = tuple(sections)
        for name in self.tables:
            if name not in known:
                self.fault("", f"unknown section '{name}'{did_you_mean(name, known)}")

    def section(self, name: str, shape: type[Shape]) -> Shape:
        """Decode the table `name`, empty where it is missing."""
        return self.decode(self.tables.get(name, {}), shape, f"[{name}]")

    def entries(self, name: str, shape: type[Shape], *keys: str) -> list[tuple[str, Shape]]:
        """Decode the array of tables `name`, each with a label for messages.

        `keys` are the fields that tell entries apart, the first one always there; no two entries
        may have the same.
        """
        array = self.tables.get(name, [])
        if not isinstance(array, list):
            self.fault(f"[{name}]", f"write [[{name}]], with two brackets: it is a list")
        found: dict[tuple[object, ...], tuple[str, Shape]] = {}
        for number, table in enumerate(cast("list[object]", array), start=1):
            label = _label(name, table, keys) or f"[[{name}]] number {number}"
            entry = self.decode(table, shape, label)
            titles = tuple(getattr(entry, key) for key in keys)
            if titles in found:
                same = [key for key, title in zip(keys, titles, strict=True) if title]
                self.fault(label, f"there are two with this {' and '.join(same)}")
            found[titles] = label, entry
        return list(found.values())

    def decode(self, table: object, shape: type[Shape], where: str) -> Shape:
        """Decode one table strictly; raises `ConfigError`."""
        if not isinstance(table, dict):
            self.fault(where, f"expected a table, got {_kind(table)}")
        known = {each.name: each for each in msgspec.structs.fields(cast("Any", shape))}
        for key in cast("dict[str, Any]", table):
            if key not in known:
                self.fault("", f"unknown key '{key}' in {where}{did_you_mean(key, known)}")
        try:
            return msgspec.convert(table, shape)
        except msgspec.ValidationError as error:
            self.fault(where, _plain(str(error), shape))


def _shown(file: Path) -> str:
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


def _label(name: str, table: object, keys: Sequence[str]) -> str | None:
    """Return ``[[routes]] 'completion@payments'``, None where an entry has no such fields."""
    if not isinstance(table, dict):
        return None
    titles = [cast("dict[str, object]", table).get(key, "") for key in keys]
    texts = [title for title in titles if isinstance(title, str) and title.isprintable()]
    shown = len(texts) == len(titles) and texts[0]
    return f"[[{name}]] '{'@'.join(filter(None, texts))}'" if shown else None


def _plain(message: str, shape: object) -> str:
    """Turn msgspec's message (``Expected `int`, got `str` - at `$.port` ``) into ours."""
    what, _, path = message.replace("`", "").partition(" - at ")
    if missing := re.fullmatch(r"Object missing required field (\w+)", what):
        return f"the key '{missing[1]}' is missing"
    name = path.removeprefix("$.")
    if what.startswith("Invalid enum value"):
        what = f"expected one of {', '.join(_choices(shape, name))}"
    return f"{name}: {what[0].lower()}{what[1:]}"


def _choices(shape: object, name: str) -> list[str]:
    schema = msgspec.json.schema(shape)
    fields = schema["$defs"][schema["$ref"].rpartition("/")[2]]["properties"]
    return list(fields[name]["enum"])


def _kind(value: object) -> str:
    return {"list": "array", "dict": "table"}.get(type(value).__name__, type(value).__name__)
