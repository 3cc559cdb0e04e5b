"""What must hold for every entry of the registry, whoever changes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import UNSET, Struct

from inhouse.core.catalog import ApiKey, Declared, Deployment, Limits, Route, Team
from inhouse.core.naming import (
    deployment_name_fault,
    did_you_mean,
    identifier_fault,
    name_fault,
)
from inhouse.core.secret import Secret, api_key_fault
from inhouse.core.settings import Settings
from inhouse.errors import ConfigError, ConflictError, NotFoundError
from inhouse.store.changes import Change
from inhouse.store.keys import KeyChange

LONGEST_TEXT = 2000


def check_deployment(deployment: Deployment) -> None:
    """Raise `ConfigError`, naming the field, where a deployment cannot be stored as written."""
    faults = {
        "name": deployment_name_fault(deployment.name),
        "family": name_fault(deployment.family),
        "identifier": identifier_fault(deployment.identifier),
        "endpoint": _text_fault(deployment.endpoint),
    }
    for field, fault in faults.items():
        if fault:
            raise ConfigError(f"The deployment cannot be stored: {field}: {fault}.", param=field)
    values = {
        "name": deployment.name,
        "family": deployment.family,
        "identifier": deployment.identifier,
        "deadlines": msgspec.to_builtins(deployment.deadlines),
        "max_concurrent": deployment.max_concurrent,
    }
    _check_values(values, Deployment, "deployment")


def check_team(team: Team) -> None:
    """Raise `ConfigError` where a team cannot be stored as written."""
    if fault := name_fault(team.name):
        raise ConfigError(f"The team cannot be stored: {fault}.", param="name")
    _check_values(msgspec.to_builtins(team.limits), Limits, "team")


def check_route(route: Route) -> None:
    """Raise `ConfigError` where a route cannot be stored as written."""
    if len(set(route.deployments)) < len(route.deployments):
        raise ConfigError("The route lists a deployment twice.", param="deployments")
    if not route.deployments and not route.disabled:
        raise ConfigError(
            "The route lists no deployment; list one, or disable the feature.", param="deployments"
        )
    if route.weights_fault:
        raise ConfigError(f"The route's weights: {route.weights_fault}.", param="weights")
    _check_values(msgspec.to_builtins(route), Route, "route")


def check_secret(key: Secret) -> None:
    """Raise `ConfigError` where an API key is easy to guess, or fits into no header."""
    if fault := api_key_fault(key.reveal()):
        raise ConfigError(f"The key is {fault}.", param="key")


def check_key(key: ApiKey) -> None:
    """Raise `ConfigError` where a key cannot be stored as written."""
    if fault := name_fault(key.name):
        raise ConfigError(f"The key cannot be stored: {fault}.", param="name")
    _check_models(key.models)
    _check_values(msgspec.to_builtins(key.limits), Limits, "key")


def check_key_change(change: KeyChange) -> None:
    """Raise `ConfigError` where a key cannot be stored as it is to be."""
    if change.models is not UNSET:
        _check_models(change.models)
    _check_values(msgspec.to_builtins(change), KeyChange, "key")


def check_settings(values: Mapping[str, object]) -> None:
    """Raise `NotFoundError` for an unknown setting, `ConfigError` for an impossible value.

    None stands for the default.
    """
    for name, value in values.items():
        known = Settings.__struct_fields__
        if name not in known:
            raise NotFoundError(
                f"There is no setting '{name}'{did_you_mean(name, known) or '.'}", param=name
            )
        try:
            msgspec.convert({} if value is None else {name: value}, Settings)
        except msgspec.ValidationError as error:
            fault = str(error).partition(" - at ")[0].replace("`", "")
            raise ConfigError(f"The setting '{name}' is wrong: {fault}.", param=name) from error


def check_listed(listed: Declared) -> None:
    """Check each entry of a file; raises as the other checks do."""
    for deployment in listed.deployments:
        check_deployment(deployment)
    for team in listed.teams:
        check_team(team)
    for route in listed.routes:
        check_route(route)
    for key in listed.keys:
        check_key(key)
    check_settings(listed.settings)


def check_undeclared(changes: Iterable[Change]) -> None:
    """Raise `ConflictError` where an entry would change that a configuration file declares."""
    for change in changes:
        if change.before is not None and change.before["declared"]:
            raise ConflictError(
                f"The {change.kind} '{change.name}' is declared in inhouse.toml; change it there.",
                param=change.name,
            )


def _check_models(models: Iterable[str]) -> None:
    for model in models:
        if fault := name_fault(model):
            raise ConfigError(f"The key cannot be stored: models: {fault}.", param="models")


def _check_values(values: Mapping[str, object], shape: type[Struct], title: str) -> None:
    """Raise `ConfigError`, naming the field, where a value does not fit the shape's range."""
    try:
        msgspec.convert(values, shape)
    except msgspec.ValidationError as error:
        fault, _, path = str(error).replace("`", "").partition(" - at ")
        field = path.removeprefix("$.")
        raise ConfigError(
            f"The {title} cannot be stored: {field}: {fault}.", param=field
        ) from error


def _text_fault(text: str) -> str | None:
    if len(text) > LONGEST_TEXT:
        return f"longer than {LONGEST_TEXT} characters"
    return None if text.isprintable() else "holds a character that cannot be printed"
