"""Completion of names in the shell; whatever goes wrong, it completes nothing and says nothing.

Switched on with, for bash: ``eval "$(_INHOUSE_COMPLETE=bash_source inhouse)"``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from inhouse.core.catalog import Catalog
from inhouse.core.feature import Feature
from inhouse.errors import InhouseError


def features(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a feature."""
    return _starting((each.value for each in Feature), incomplete)


def families(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a family."""
    # Imported late: only completion needs them here, and other commands import this module.
    from inhouse import config  # noqa: PLC0415
    from inhouse.families import load  # noqa: PLC0415

    try:
        known = load(config.load_families_folder(_file(ctx)))
    except InhouseError:
        return []
    return _starting(known.names(), incomplete)


def deployments(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a deployment."""
    return _starting(_catalog(ctx).deployments, incomplete)


def keys(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a key."""
    return _starting((key.name for key in _catalog(ctx).keys.values()), incomplete)


def teams(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a team."""
    return _starting(_catalog(ctx).teams, incomplete)


def models(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete what a caller can ask for: a feature or a deployment."""
    known = [*(each.value for each in Feature), *_catalog(ctx).deployments]
    return _starting(known, incomplete)


def _catalog(ctx: click.Context) -> Catalog:
    from inhouse import config  # noqa: PLC0415
    from inhouse.store import Registry  # noqa: PLC0415

    try:
        configured = config.load(_file(ctx))
        store = configured.store
        registry = Registry.open(
            store.url, secret=configured.secret_key, key_file=configured.key_file
        )
        try:
            return registry.snapshot()
        finally:
            registry.close()
    except InhouseError:
        return Catalog()


def _file(ctx: click.Context) -> Path | None:
    """Return the configuration file that the line to be completed names."""
    file = ctx.find_root().params.get("file")
    return file if isinstance(file, Path) else None


def _starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
