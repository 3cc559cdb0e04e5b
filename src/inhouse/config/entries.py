"""The entries that a file lists: deployments, teams, routes, keys and settings."""

from __future__ import annotations

from typing import Any, cast

from inhouse.config.document import Document
from inhouse.config.listed import DeploymentEntry, KeyEntry, RouteEntry, TeamEntry
from inhouse.config.secrets import Secrets
from inhouse.core.catalog import ApiKey, Declared, Deployment, Limits, Role, Route, Team, digest
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.feature import Feature
from inhouse.core.naming import (
    deployment_name_fault,
    did_you_mean,
    identifier_fault,
    name_fault,
)
from inhouse.core.secret import api_key_fault
from inhouse.core.settings import Settings

SECTIONS = ("settings", "deployments", "teams", "routes", "keys")


def read(document: Document, secrets: Secrets, *, declared: bool) -> Declared:
    """Decode the five sections; raises `ConfigError`.

    What is declared may only name what is declared too; a file that is applied once may name
    entries that are there already.
    """
    found = Declared(
        deployments=tuple(_deployments(document, secrets, declared=declared)),
        teams=tuple(_teams(document, declared=declared)),
        routes=tuple(_routes(document, declared=declared)),
        keys=tuple(_keys(document, secrets, declared=declared)),
        settings=_settings(document),
    )
    if declared:
        _check_names(document, found)
    return found


def _deployments(document: Document, secrets: Secrets, *, declared: bool) -> list[Deployment]:
    found: list[Deployment] = []
    for label, entry in document.entries("deployments", DeploymentEntry, "name"):
        fault = deployment_name_fault(entry.name) or identifier_fault(entry.identifier)
        if fault:
            document.fault(label, fault)
        deployment = Deployment(
            name=entry.name,
            family=entry.family,
            identifier=entry.identifier,
            endpoint=entry.endpoint,
            api_key=secrets.resolve(entry.api_key, f"{label}: api_key"),
            options=entry.options,
            deadlines=document.decode(entry.deadlines, DeadlineOverrides, f"{label}: deadlines"),
            max_concurrent=entry.max_concurrent,
            declared=declared,
        )
        found.append(deployment)
    return found


def _teams(document: Document, *, declared: bool) -> list[Team]:
    found: list[Team] = []
    for label, entry in document.entries("teams", TeamEntry, "name"):
        if fault := name_fault(entry.name):
            document.fault(label, fault)
        found.append(Team(name=entry.name, limits=_limits(entry), declared=declared))
    return found


def _limits(entry: TeamEntry | KeyEntry) -> Limits:
    return Limits(
        requests_per_minute=entry.requests_per_minute, tokens_per_minute=entry.tokens_per_minute
    )


def _routes(document: Document, *, declared: bool) -> list[Route]:
    found: list[Route] = []
    features = [feature.value for feature in Feature]
    for label, entry in document.entries("routes", RouteEntry, "feature", "team"):
        if entry.feature not in features:
            document.fault(
                label,
                f"there is no feature of this name{did_you_mean(entry.feature, features)}"
                f" All are: {', '.join(features)}",
            )
        if len(set(entry.deployments)) < len(entry.deployments):
            document.fault(label, "deployments: one is listed twice")
        if not entry.deployments and not entry.disabled:
            document.fault(label, "deployments: list at least one, or write disabled = true")
        route = Route(
            feature=Feature(entry.feature),
            team=entry.team,
            deployments=entry.deployments,
            weights=entry.weights,
            disabled=entry.disabled,
            declared=declared,
        )
        if route.weights_fault:
            document.fault(label, f"weights: {route.weights_fault}")
        found.append(route)
    return found


def _check_names(document: Document, found: Declared) -> None:
    deployments = [each.name for each in found.deployments]
    teams = [each.name for each in found.teams]

    def check(where: str, field: str, kind: str, name: str, known: list[str]) -> None:
        if name not in known:
            hint = did_you_mean(name, known)
            document.fault(where, f"{field}: the file declares no {kind} '{name}'{hint}")

    for route in found.routes:
        label = f"[[routes]] '{route.feature}{'@' if route.team else ''}{route.team}'"
        for name in route.deployments:
            check(label, "deployments", "deployment", name, deployments)
        if route.team:
            check(label, "team", "team", route.team, teams)
    for key in found.keys:
        if key.team:
            check(f"[[keys]] '{key.name}'", "team", "team", key.team, teams)


def _keys(document: Document, secrets: Secrets, *, declared: bool) -> list[ApiKey]:
    found: dict[str, ApiKey] = {}
    roles = [role.value for role in Role]
    for label, entry in document.entries("keys", KeyEntry, "name"):
        if fault := name_fault(entry.name):
            document.fault(label, fault)
        if entry.role not in roles:
            document.fault(
                label,
                f"role: expected one of {', '.join(roles)}{did_you_mean(entry.role, roles)}",
            )
        secret = secrets.resolve(entry.key, f"{label}: key").reveal()
        if fault := api_key_fault(secret):
            document.fault(label, f"key: {fault}")
        key = ApiKey(
            name=entry.name,
            role=Role(entry.role),
            digest=digest(secret),
            models=entry.models,
            team=entry.team,
            limits=_limits(entry),
            declared=declared,
        )
        if key.digest in found:
            document.fault(label, f"key: the same as that of '{found[key.digest].name}'")
        found[key.digest] = key
    return list(found.values())


def _settings(document: Document) -> dict[str, Any]:
    document.section("settings", Settings)
    return cast("dict[str, Any]", document.tables.get("settings", {}))
