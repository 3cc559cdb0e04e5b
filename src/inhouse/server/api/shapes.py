"""What the admin API takes and shows; secrets go in and never come out."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from inhouse.core.catalog import ApiKey, Catalog, Deployment, Feature, Role, Settings
from inhouse.core.trace import Trace

Limit = Annotated[int, Meta(ge=1, le=1000, description="How many, newest first.")]


class DeploymentView(Struct, frozen=True, kw_only=True):
    """A deployment; of its key only whether there is one."""

    name: str
    family: str
    identifier: str
    endpoint: str
    has_api_key: bool
    options: dict[str, Any]
    declared: bool


class DeploymentBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deployment as it is to be; `api_key` left out keeps the key that there is."""

    family: str
    identifier: Annotated[str, Meta(description="PROVIDER/MODEL")]
    endpoint: str = ""
    api_key: str | UnsetType = UNSET
    options: dict[str, Any] = field(default_factory=dict[str, Any])


class NewDeployment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deployment to add."""

    name: str
    family: str
    identifier: Annotated[str, Meta(description="PROVIDER/MODEL")]
    endpoint: str = ""
    api_key: str = ""
    options: dict[str, Any] = field(default_factory=dict[str, Any])


class RouteView(Struct, frozen=True, kw_only=True):
    """What serves a feature; `inherits` names the feature whose route this one takes over."""

    feature: Feature
    deployments: tuple[str, ...]
    disabled: bool
    declared: bool
    inherits: Feature | None


class RouteBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A route as it is to be: deployments, best first, or disabled."""

    deployments: tuple[str, ...] = ()
    disabled: bool = False


class KeyView(Struct, frozen=True, kw_only=True):
    """An API key, without the key; `created_at` is a Unix time."""

    name: str
    role: Role
    models: tuple[str, ...]
    declared: bool
    created_at: float


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make; no `models` allow every model."""

    name: str
    role: Role
    models: tuple[str, ...] = ()


class CreatedKey(Struct, frozen=True, kw_only=True):
    """A new key; `key` is shown this once."""

    name: str
    role: Role
    models: tuple[str, ...]
    key: str


class DeploymentList(Struct, frozen=True):
    """All deployments by name."""

    data: list[DeploymentView]


class RouteList(Struct, frozen=True):
    """Every feature's route."""

    data: list[RouteView]


class KeyList(Struct, frozen=True):
    """All keys by name."""

    data: list[KeyView]


class TraceList(Struct, frozen=True):
    """Traces, newest first."""

    data: list[Trace]


class ListQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a list."""

    limit: Limit = 50


SettingsChange: Any = msgspec.defstruct(
    "SettingsChange",
    [(each.name, each.type | UnsetType, UNSET) for each in msgspec.structs.fields(Settings)],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
)
"""The settings to change; those left out stay as they are."""


def deployment_view(deployment: Deployment) -> DeploymentView:
    """Return what may be shown of a deployment."""
    return DeploymentView(
        name=deployment.name,
        family=deployment.family,
        identifier=deployment.identifier,
        endpoint=deployment.endpoint,
        has_api_key=bool(deployment.api_key),
        options=deployment.options,
        declared=deployment.declared,
    )


def route_view(catalog: Catalog, feature: Feature) -> RouteView:
    """Return what serves a feature, by its own route or an inherited one."""
    route = catalog.route(feature)
    return RouteView(
        feature=feature,
        deployments=() if route is None else route.deployments,
        disabled=route is not None and route.disabled,
        declared=route is not None and route.declared,
        inherits=None if route is None or route.feature is feature else route.feature,
    )


def key_view(key: ApiKey) -> KeyView:
    """Return what may be shown of a key."""
    return KeyView(
        name=key.name,
        role=key.role,
        models=key.models,
        declared=key.declared,
        created_at=key.created_at,
    )
