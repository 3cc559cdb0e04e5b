"""The registry as commands on its host use it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.text import Text

from inhouse import config
from inhouse.cli import output
from inhouse.core.catalog import Catalog, Deployment, Team
from inhouse.core.naming import did_you_mean
from inhouse.errors import InhouseError, NotFoundError
from inhouse.store import Change, Registry


@contextmanager
def opened(file: Path | None) -> Generator[Registry]:
    """Open the registry that the configuration names."""
    with opened_with(config.load(file)) as registry:
        yield registry


@contextmanager
def opened_with(configured: config.Config) -> Generator[Registry]:
    """Open the registry of a configuration; say where ``inhouse.toml`` declares something newer."""
    registry = Registry.open(
        configured.store.url, secret=configured.secret_key, key_file=configured.key_file
    )
    try:
        if configured.path is not None and _behind(registry, configured):
            output.note(
                f"{configured.path.name} declares changes that do not hold yet;"
                " they do when 'inhouse serve' starts next."
            )
        yield registry
    finally:
        registry.close()


def _behind(registry: Registry, configured: config.Config) -> bool:
    try:
        return bool(registry.plan(configured.declared))
    except InhouseError:
        return True


def author() -> str:
    """Return who changes the registry: the account that runs the command."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def deployment(catalog: Catalog, name: str) -> Deployment:
    """Return a registered deployment; raises `NotFoundError` with the nearest name."""
    found = catalog.deployments.get(name)
    if found is None:
        hint = did_you_mean(name, catalog.deployments) or "; 'inhouse deployments list' shows all."
        raise NotFoundError(f"There is no deployment '{name}'{hint}", param="name")
    return found


def team(catalog: Catalog, name: str) -> Team:
    """Return a team; raises `NotFoundError` with the nearest name."""
    found = catalog.teams.get(name)
    if found is None:
        hint = did_you_mean(name, catalog.teams) or "; 'inhouse teams list' shows all."
        raise NotFoundError(f"There is no team '{name}'{hint}", param="name")
    return found


def show_changes(changes: Sequence[Change]) -> None:
    """Print changes as a diff."""
    colours = {"+": "green", "-": "red", "~": "yellow"}
    out = output.console()
    for change in changes:
        for line in change.lines():
            style = colours.get(line.strip()[:1], "bold") if line.startswith(" ") else "bold"
            out.print(Text(output.plain(line), style=style), soft_wrap=True)


def as_json(changes: Sequence[Change]) -> list[dict[str, object]]:
    """Return changes for ``--json``."""
    return [
        {
            "action": change.action,
            "kind": change.kind,
            "name": change.name,
            "before": change.before,
            "after": change.after,
        }
        for change in changes
    ]
