"""What is registered: deployments, routes, keys, settings, and the snapshot of them all."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings
from inhouse.errors import UnknownModelError

Weight = Annotated[int, Meta(ge=0, le=1000)]
PerMinute = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class Role(StrEnum):
    """What the holder of a key may do: everything, ask models, or read registry and traces."""

    ADMIN = "admin"
    DEVELOPER = "developer"
    AUDITOR = "auditor"


class Deployment(Struct, frozen=True, kw_only=True):
    """A model served at an upstream.

    `identifier` is ``provider/model`` as in GitLab: the part before the first slash names the
    provider (an entry point of the group ``inhouse.providers``), the rest is the upstream's own
    name for the model. `options` are the provider's own settings, checked by the provider.
    `deadlines` go before those of the feature. `max_concurrent` requests run at once, in each
    process of the gateway; others queue.
    """

    name: str
    family: str
    identifier: str
    endpoint: str = ""
    api_key: Secret = field(default_factory=Secret)
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    deadlines: DeadlineOverrides = field(default_factory=DeadlineOverrides)
    max_concurrent: Annotated[int, Meta(ge=1, le=65536)] | None = None
    declared: bool = False

    @property
    def provider(self) -> str:
        """The name of the provider that talks to this upstream."""
        return self.identifier.partition("/")[0]

    @property
    def model(self) -> str:
        """The upstream's own name for the model."""
        return self.identifier.partition("/")[2]


class Route(Struct, frozen=True, kw_only=True):
    """Which deployments serve a feature; or that nothing does.

    Without `weights` the deployments are asked in their order, best first. With them, one for each,
    they are a group that shares the load in these proportions; one of weight 0 is asked only when
    none of the others can answer. A route with a `team` holds for its members only.
    """

    feature: Feature
    team: str = ""
    deployments: tuple[str, ...] = ()
    weights: tuple[Weight, ...] = ()
    disabled: bool = False
    declared: bool = False

    @property
    def weights_fault(self) -> str | None:
        """What is wrong with the weights, None where nothing is or there are none."""
        if not self.weights:
            return None
        if len(self.weights) != len(self.deployments):
            return (
                f"{len(self.weights)} for {len(self.deployments)} deployments; write one for each"
            )
        if not any(self.weights):
            return "all are 0, so that nothing would be asked; write one above 0"
        return None


class Limits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What may be asked in one minute of the clock, all processes together; None is no limit."""

    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None


class Team(Struct, frozen=True, kw_only=True):
    """Keys that share limits, and may have routes of their own."""

    name: str
    limits: Limits = field(default_factory=Limits)
    declared: bool = False


class ApiKey(Struct, frozen=True, kw_only=True):
    """A caller's key; only its SHA-256 is kept. An empty `models` allows every model."""

    name: str
    role: Role
    digest: str
    models: tuple[str, ...] = ()
    team: str = ""
    limits: Limits = field(default_factory=Limits)
    declared: bool = False
    created_at: float = 0.0


def digest(key: str) -> str:
    """Return the SHA-256 of an API key in hex; keys are random, so no salt or stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


class Catalog(Struct, frozen=True, kw_only=True):
    """The registry as one immutable snapshot: what the hot path reads.

    `keys` is indexed by digest. `routes` are everybody's, `team_routes` those of one team.
    `revision` grows with each change.
    """

    revision: int = 0
    deployments: dict[str, Deployment] = field(default_factory=dict[str, Deployment])
    routes: dict[Feature, Route] = field(default_factory=dict[Feature, Route])
    team_routes: dict[tuple[str, Feature], Route] = field(
        default_factory=dict[tuple[str, Feature], Route]
    )
    teams: dict[str, Team] = field(default_factory=dict[str, Team])
    keys: dict[str, ApiKey] = field(default_factory=dict[str, ApiKey])
    settings: Settings = field(default_factory=Settings)

    def route(self, feature: Feature, team: str = "") -> Route | None:
        """Return the route that holds for `feature`: the team's, else everybody's.

        Of either, the feature's own goes before the one that it inherits.
        """
        if team:
            found = self.team_routes.get((team, feature)) or (
                self.team_routes.get((team, feature.top))
            )
            if found is not None:
                return found
        return self.routes.get(feature) or self.routes.get(feature.top)

    def serves(self, feature: Feature, team: str = "") -> bool:
        """Tell whether anything serves a feature."""
        route = self.route(feature, team)
        return route is not None and not route.disabled and bool(route.deployments)

    def check_enabled(self, feature: Feature, team: str = "") -> None:
        """Raise `UnknownModelError` where a feature is disabled."""
        route = self.route(feature, team)
        if route is not None and route.disabled:
            raise UnknownModelError(f"The feature '{feature}' is disabled here.", param="model")

    def serving(self, feature: Feature, team: str = "") -> Route:
        """Return the route of a feature that is served.

        Raises:
            UnknownModelError: the feature is disabled, has no route, or its route is empty.

        """
        self.check_enabled(feature, team)
        route = self.route(feature, team)
        if route is None or not route.deployments:
            raise UnknownModelError(
                f"Nothing serves the feature '{feature}' yet. An administrator can assign it with:"
                f" inhouse routes set {feature} DEPLOYMENT",
                param="model",
            )
        return route


class Declared(Struct, frozen=True, kw_only=True):
    """Entries that a file lists: those of ``inhouse.toml``, or of a file to be applied once.

    `settings` holds only the settings that the file names.
    """

    deployments: tuple[Deployment, ...] = ()
    routes: tuple[Route, ...] = ()
    teams: tuple[Team, ...] = ()
    keys: tuple[ApiKey, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
