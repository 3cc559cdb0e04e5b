"""Deployments as people and programs are shown them, all but their keys."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from inhouse.core.catalog import Catalog, Deployment
from inhouse.store import route_name


def serves(catalog: Catalog, name: str) -> list[str]:
    """Name the routes that list the deployment: ``chat``, or ``chat@payments`` of a team."""
    return [
        route_name(route.feature, route.team)
        for route in (*catalog.routes.values(), *catalog.team_routes.values())
        if name in route.deployments
    ]


def view(catalog: Catalog, found: Deployment) -> dict[str, Any]:
    """Return a deployment for ``--json``."""
    return {
        "name": found.name,
        "family": found.family,
        "identifier": found.identifier,
        "endpoint": found.endpoint,
        "has_api_key": bool(found.api_key),
        "options": _options(found),
        "deadlines": found.deadlines,
        "max_concurrent": found.max_concurrent,
        "serves": serves(catalog, found.name),
        "declared": found.declared,
    }


def facts(catalog: Catalog, found: Deployment) -> list[tuple[str, str]]:
    """Return a deployment as names and values."""
    deadlines: dict[str, float] = msgspec.to_builtins(found.deadlines)
    most = found.max_concurrent
    return [
        ("name", found.name),
        ("family", found.family),
        ("identifier", found.identifier),
        ("endpoint", found.endpoint or "-"),
        ("api key", "set" if found.api_key else "none"),
        *((f"option {key}", str(value)) for key, value in _options(found).items()),
        *((f"deadline {phase}", f"{seconds:g} s") for phase, seconds in deadlines.items()),
        ("at once", "no limit" if most is None else f"{most} requests a process"),
        ("serves", ", ".join(serves(catalog, found.name)) or "nothing yet"),
        ("declared", "in inhouse.toml" if found.declared else "no"),
    ]


def _options(found: Deployment) -> dict[str, Any]:
    """Return the options without the values of headers, which may be keys."""
    headers = found.options.get("headers")
    if not isinstance(headers, dict):
        return found.options
    hidden = dict.fromkeys(cast("dict[str, Any]", headers), "(set)")
    return {**found.options, "headers": hidden}
