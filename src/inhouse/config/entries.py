"""The entries that a file lists: deployments, routes, keys and settings."""

from __future__ import annotations

from typing import Any, cast

from inhouse.config.document import Document
from inhouse.config.secrets import Secrets
from inhouse.config.shape import DeploymentEntry, KeyEntry, RouteEntry
from inhouse.core.catalog import (
    ApiKey,
    Declared,
    Deployment,
    Feature,
    Role,
    Route,
    Settings,
    digest,
)
from inhouse.core.naming import (
    deployment_name_fault,
    did_you_mean,
    identifier_fault,
    name_fault,
)
from inhouse.core.secret import api_key_fault

SECTIONS = ("settings", "deployments", "routes", "keys")


def read(document: Document, secrets: Secrets, *, declared: bool) -> Declared:
    """Decode the four sections; raises `ConfigError`."""
    deployments = tuple(_deployments(document, secrets, declared=declared))
    routes = tuple(_routes(document, declared=declared))
    if declared:
        _check_routes(document, deployments, routes)
    return Declared(
        deployments=deployments,
        routes=routes,
        keys=tuple(_keys(document, secrets, declared=declared)),
        settings=_settings(document),
    )


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
            declared=declared,
        )
        found.append(deployment)
    return found


def _routes(document: Document, *, declared: bool) -> list[Route]:
    found: list[Route] = []
    features = [feature.value for feature in Feature]
    for label, entry in document.entries("routes", RouteEntry, "feature"):
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
            deployments=entry.deployments,
            disabled=entry.disabled,
            declared=declared,
        )
        found.append(route)
    return found


def _check_routes(
    document: Document, deployments: tuple[Deployment, ...], routes: tuple[Route, ...]
) -> None:
    names = [deployment.name for deployment in deployments]
    for route in routes:
        for name in route.deployments:
            if name not in names:
                document.fault(
                    f"[[routes]] '{route.feature}'",
                    f"deployments: the file declares no deployment '{name}'"
                    f"{did_you_mean(name, names)}",
                )


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
            declared=declared,
        )
        if key.digest in found:
            document.fault(label, f"key: the same as that of '{found[key.digest].name}'")
        found[key.digest] = key
    return list(found.values())


def _settings(document: Document) -> dict[str, Any]:
    document.section("settings", Settings)
    return cast("dict[str, Any]", document.tables.get("settings", {}))
