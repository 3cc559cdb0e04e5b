"""What must hold in every state of the registry, whoever changes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from inhouse.core.catalog import ApiKey, Declared, Deployment, Route, Settings
from inhouse.core.naming import (
    deployment_name_fault,
    did_you_mean,
    identifier_fault,
    name_fault,
)
from inhouse.core.secret import Secret, api_key_fault
from inhouse.errors import ConfigError, ConflictError, NotFoundError
from inhouse.store.changes import Change, Kind, State

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


def check_route(route: Route) -> None:
    """Raise `ConfigError` where a route cannot be stored as written."""
    if len(set(route.deployments)) < len(route.deployments):
        raise ConfigError("The route lists a deployment twice.", param="deployments")
    if not route.deployments and not route.disabled:
        raise ConfigError(
            "The route lists no deployment; list one, or disable the feature.", param="deployments"
        )


def check_secret(key: Secret) -> None:
    """Raise `ConfigError` where an API key is easy to guess, or fits into no header."""
    if fault := api_key_fault(key.reveal()):
        raise ConfigError(f"The key is {fault}.", param="key")


def check_key(key: ApiKey) -> None:
    """Raise `ConfigError` where a key cannot be stored as written."""
    if fault := name_fault(key.name):
        raise ConfigError(f"The key cannot be stored: {fault}.", param="name")
    for model in key.models:
        if fault := name_fault(model):
            raise ConfigError(f"The key cannot be stored: models: {fault}.", param="models")


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


def check_state(before: State, after: State) -> None:
    """Check what ties entries together.

    Raises:
        ConflictError: a deployment would go that a route still uses, or two keys are the same.
        NotFoundError: a route names a deployment that does not exist.

    """
    names = [name for kind, name in after if kind is Kind.DEPLOYMENT]
    known = set(names)
    digests: dict[str, str] = {}
    for (kind, name), document in after.items():
        if kind is Kind.ROUTE:
            for deployment in document["deployments"]:
                if deployment not in known:
                    raise _missing(deployment, name, before, names)
        elif kind is Kind.KEY and digests.setdefault(document["digest"], name) != name:
            raise ConflictError(f"The key '{name}' is the same as '{digests[document['digest']]}'.")


def _missing(
    deployment: str, route: str, before: State, names: list[str]
) -> ConflictError | NotFoundError:
    if (Kind.DEPLOYMENT, deployment) in before:
        return ConflictError(
            f"The deployment '{deployment}' still serves the route '{route}';"
            f" take it out of there first: inhouse routes set {route} DEPLOYMENT...",
            param=deployment,
        )
    return NotFoundError(
        f"The route '{route}' names the deployment '{deployment}', which does not exist"
        f"{did_you_mean(deployment, names) or '.'}",
        param=deployment,
    )


def _text_fault(text: str) -> str | None:
    if len(text) > LONGEST_TEXT:
        return f"longer than {LONGEST_TEXT} characters"
    return None if text.isprintable() else "holds a character that cannot be printed"
