"""What is registered: deployments, routes, keys, settings, and the snapshot of them all."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from inhouse.core.secret import Secret
from inhouse.errors import UnknownModelError


class Feature(StrEnum):
    """What a caller can ask for; a dotted one is a sub-feature and inherits its parent's route."""

    COMPLETION = "completion"
    GENERATION = "generation"
    CHAT = "chat"
    CHAT_EXPLAIN = "chat.explain"
    CHAT_TESTS = "chat.tests"
    CHAT_REFACTOR = "chat.refactor"
    CHAT_FIX = "chat.fix"

    @property
    def parent(self) -> Feature | None:
        """The feature whose route this one inherits, None for a top feature."""
        head, dot, _ = self.value.rpartition(".")
        return Feature(head) if dot else None


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
    """

    name: str
    family: str
    identifier: str
    endpoint: str = ""
    api_key: Secret = field(default_factory=Secret)
    options: dict[str, Any] = field(default_factory=dict[str, Any])
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
    """Which deployments serve a feature, best first; or that nothing does."""

    feature: Feature
    deployments: tuple[str, ...] = ()
    disabled: bool = False
    declared: bool = False


class ApiKey(Struct, frozen=True, kw_only=True):
    """A caller's key; only its SHA-256 is kept. An empty `models` allows every model."""

    name: str
    role: Role
    digest: str
    models: tuple[str, ...] = ()
    declared: bool = False
    created_at: float = 0.0


def digest(key: str) -> str:
    """Return the SHA-256 of an API key in hex; keys are random, so no salt or stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


Seconds = Annotated[float, Meta(gt=0, le=3600)]
Tokens = Annotated[int, Meta(ge=1, le=1_000_000)]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator may tune while the gateway runs; each field carries its help."""

    completion_prefix_tokens: Annotated[
        Tokens, Meta(description="Code before the cursor that a completion prompt may hold.")
    ] = 2048
    completion_suffix_tokens: Annotated[
        Tokens, Meta(description="Code behind the cursor that a completion prompt may hold.")
    ] = 512
    completion_max_tokens: Annotated[
        Tokens, Meta(description="Longest completion where the caller names no limit.")
    ] = 128
    generation_max_tokens: Annotated[
        Tokens, Meta(description="Longest generation where the caller names no limit.")
    ] = 2048
    connect_timeout: Annotated[
        Seconds, Meta(description="Seconds to connect to an upstream, TLS included.")
    ] = 5.0
    first_byte_timeout: Annotated[
        Seconds, Meta(description="Seconds until an upstream sends the first byte of its answer.")
    ] = 60.0
    between_bytes_timeout: Annotated[
        Seconds, Meta(description="Longest silence in seconds in the middle of an answer.")
    ] = 30.0
    total_timeout: Annotated[
        Seconds, Meta(description="Seconds that one request to an upstream may take in all.")
    ] = 600.0
    trace_days: Annotated[
        int, Meta(ge=1, le=3650, description="Days that trace rows are kept.")
    ] = 90


class Catalog(Struct, frozen=True, kw_only=True):
    """The registry as one immutable snapshot: what the hot path reads.

    `keys` is indexed by digest. `revision` grows with each change.
    """

    revision: int = 0
    deployments: dict[str, Deployment] = field(default_factory=dict[str, Deployment])
    routes: dict[Feature, Route] = field(default_factory=dict[Feature, Route])
    keys: dict[str, ApiKey] = field(default_factory=dict[str, ApiKey])
    settings: Settings = field(default_factory=Settings)

    def route(self, feature: Feature) -> Route | None:
        """Return the route that holds for `feature`, its own or the inherited one."""
        found = self.routes.get(feature)
        if found is None and feature.parent is not None:
            return self.route(feature.parent)
        return found

    def serving(self, feature: Feature) -> tuple[Deployment, ...]:
        """Return the deployments that serve `feature`, best first.

        Raises:
            UnknownModelError: the feature is disabled, has no route, or its route is empty.

        """
        route = self.route(feature)
        if route is not None and route.disabled:
            raise UnknownModelError(f"The feature '{feature}' is disabled here.", param="model")
        found = () if route is None else route.deployments
        if not found:
            raise UnknownModelError(
                f"Nothing serves the feature '{feature}' yet. An administrator can assign it with:"
                f" inhouse routes set {feature} DEPLOYMENT",
                param="model",
            )
        return tuple(self.deployments[name] for name in found)


class Declared(Struct, frozen=True, kw_only=True):
    """Entries that a file lists: those of ``inhouse.toml``, or of a file to be applied once.

    `settings` holds only the settings that the file names.
    """

    deployments: tuple[Deployment, ...] = ()
    routes: tuple[Route, ...] = ()
    keys: tuple[ApiKey, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict[str, Any])


def setting_help() -> dict[str, tuple[Any, str]]:
    """Return each setting's default and help text, by name."""
    fields: dict[str, dict[str, Any]] = msgspec.json.schema(Settings)["$defs"]["Settings"][
        "properties"
    ]
    return {name: (each["default"], each["description"]) for name, each in fields.items()}
