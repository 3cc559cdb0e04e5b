"""Between the core's nouns and the documents that are stored."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from inhouse.core.catalog import ApiKey, Catalog, Declared, Deployment, Limits, Route, Team
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.feature import Feature
from inhouse.core.settings import Settings
from inhouse.errors import ConfigError, StoreError
from inhouse.store.changes import Document, Kind, State, limits_document, route_name, route_parts
from inhouse.store.sealing import Seal


class Documents:
    """Writes and reads documents; the only one that handles both sealed and open secrets."""

    def __init__(self, seal: Seal) -> None:
        """Keep what opens and closes secrets."""
        self._seal = seal

    def deployment(
        self, deployment: Deployment, state: State, *, declared: bool = False
    ) -> Document:
        """Return a deployment's document; an unchanged secret keeps its ciphertext in `state`."""
        sealed = state.get((Kind.DEPLOYMENT, deployment.name), {}).get("api_key", "")
        owner = _owner(deployment.name)
        if not sealed or self._seal.open(sealed, owner) != deployment.api_key:
            sealed = self._seal.seal(deployment.api_key, owner)
        return {
            "family": deployment.family,
            "identifier": deployment.identifier,
            "endpoint": deployment.endpoint,
            "api_key": sealed,
            "options": _plain(deployment),
            "declared": declared,
            "deadlines": msgspec.to_builtins(deployment.deadlines),
            "max_concurrent": deployment.max_concurrent,
        }

    def listed(self, declared: Declared, state: State, *, as_declared: bool) -> State:
        """Return the documents of everything that a file lists."""
        found: State = {}
        for deployment in declared.deployments:
            document = self.deployment(deployment, state, declared=as_declared)
            found[Kind.DEPLOYMENT, deployment.name] = document
        for team in declared.teams:
            found[Kind.TEAM, team.name] = team_document(team, declared=as_declared)
        for route in declared.routes:
            name = route_name(route.feature, route.team)
            found[Kind.ROUTE, name] = route_document(route, declared=as_declared)
        for key in declared.keys:
            found[Kind.KEY, key.name] = key_document(key, state, declared=as_declared)
        for name, value in declared.settings.items():
            found[Kind.SETTING, name] = setting_document(value, declared=as_declared)
        return found

    def catalog(self, state: State, revision: int) -> Catalog:
        """Return the snapshot of a state, with its secrets open; raises `StoreError`."""
        deployments: dict[str, Deployment] = {}
        teams: dict[str, Team] = {}
        routes: dict[Feature, Route] = {}
        team_routes: dict[tuple[str, Feature], Route] = {}
        keys: dict[str, ApiKey] = {}
        values: dict[str, Any] = {}
        for (kind, name), document in state.items():
            match kind:
                case Kind.DEPLOYMENT:
                    deployments[name] = self._opened(name, document)
                case Kind.TEAM:
                    teams[name] = msgspec.convert(_nested(name, document), Team)
                case Kind.ROUTE:
                    route = _route(name, document)
                    if route.team:
                        team_routes[route.team, route.feature] = route
                    else:
                        routes[route.feature] = route
                case Kind.KEY:
                    key = msgspec.convert(_nested(name, document), ApiKey)
                    keys[key.digest] = key
                case Kind.SETTING:
                    values[name] = document["value"]
        return Catalog(
            revision=revision,
            deployments=deployments,
            teams=teams,
            routes=routes,
            team_routes=team_routes,
            keys=keys,
            settings=_settings(values),
        )

    def _opened(self, name: str, document: Document) -> Deployment:
        opened: Document = {
            **document,
            "name": name,
            "api_key": self._seal.open(document["api_key"], _owner(name)),
            "deadlines": msgspec.convert(document["deadlines"], DeadlineOverrides),
        }
        return Deployment(**opened)


def team_document(team: Team, *, declared: bool = False) -> Document:
    """Return a team's document."""
    return {**limits_document(team.limits), "declared": declared}


def route_document(route: Route, *, declared: bool = False) -> Document:
    """Return a route's document."""
    return {
        "deployments": list(route.deployments),
        "weights": list(route.weights),
        "disabled": route.disabled,
        "declared": declared,
    }


def key_document(key: ApiKey, state: State, *, declared: bool = False) -> Document:
    """Return a key's document; the same key keeps the time of its making in `state`."""
    before = state.get((Kind.KEY, key.name))
    known = before is not None and before["digest"] == key.digest
    return {
        "role": key.role.value,
        "digest": key.digest,
        "models": list(key.models),
        "declared": declared,
        "created_at": before["created_at"] if known and before else time.time(),
        "team": key.team,
        **limits_document(key.limits),
    }


def setting_document(value: object, *, declared: bool = False) -> Document:
    """Return a setting's document."""
    return {"value": value, "declared": declared}


def _owner(name: str) -> str:
    # Authenticated with each stored secret: another wording would make them all unreadable.
    return f"deployment/{name}"


def _nested(name: str, document: Document) -> Document:
    """Return the document of a team or key as the core has it: limits by themselves."""
    limits = {each: document[each] for each in Limits.__struct_fields__}
    return {**document, "name": name, "limits": limits}


def _route(name: str, document: Document) -> Route:
    feature, team = route_parts(name)
    return msgspec.convert({**document, "feature": feature, "team": team}, Route)


def _plain(deployment: Deployment) -> Document:
    """Return the options as JSON gives them back, so that unchanged ones compare equal."""
    try:
        return msgspec.json.decode(msgspec.json.encode(deployment.options))
    except (TypeError, OverflowError, msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise ConfigError(
            f"The options of the deployment '{deployment.name}' cannot be stored: {error}",
            param="options",
        ) from error


def _settings(values: dict[str, Any]) -> Settings:
    # A setting of another version must not keep this one from starting.
    known = {name: value for name, value in values.items() if name in Settings.__struct_fields__}
    try:
        return msgspec.convert(known, Settings)
    except msgspec.ValidationError as error:
        raise StoreError(f"A stored setting cannot be used: {error}") from error
