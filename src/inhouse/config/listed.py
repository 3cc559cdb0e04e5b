"""What one entry of each list is made of; each field carries its help."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from inhouse.core.catalog import PerMinute, Weight


class DeploymentEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[deployments]]``."""

    name: Annotated[str, Meta(description="Name, as in GitLab; callers can use it as model.")]
    family: Annotated[str, Meta(description="Model family; `inhouse families list` shows them.")]
    identifier: Annotated[
        str, Meta(description="`PROVIDER/MODEL`: who talks to the upstream, and its model's name.")
    ]
    endpoint: Annotated[str, Meta(description="The upstream's URL.")] = ""
    api_key: Annotated[str, Meta(description="The upstream's key: a secret reference.")] = ""
    options: Annotated[
        dict[str, Any], Meta(description="Settings of the provider; no place for secrets.")
    ] = field(default_factory=dict[str, Any])
    deadlines: Annotated[
        dict[str, Any],
        Meta(
            description="Seconds that go before those of the settings: `connect`, `first_token`,"
            " `between_tokens`, `total`."
        ),
    ] = field(default_factory=dict[str, Any])
    max_concurrent: Annotated[
        Annotated[int, Meta(ge=1, le=65536)] | None,
        Meta(
            description="Requests that it gets at once from one process of the gateway; others"
            " wait.",
        ),
    ] = None


class TeamEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[teams]]``."""

    name: Annotated[str, Meta(description="Name of the team.")]
    requests_per_minute: Annotated[
        PerMinute | None, Meta(description="Requests of all its keys together in a minute.")
    ] = None
    tokens_per_minute: Annotated[
        PerMinute | None,
        Meta(description="Tokens, asked and answered, of all its keys together in a minute."),
    ] = None


class RouteEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[routes]]``."""

    feature: Annotated[str, Meta(description="What the route is for, as in `completion`.")]
    team: Annotated[str, Meta(description="The team that it holds for; empty: everybody.")] = ""
    deployments: Annotated[
        tuple[str, ...], Meta(description="Names of deployments, the best first.")
    ] = ()
    weights: Annotated[
        tuple[Weight, ...],
        Meta(
            description="Shares of the load, one for each deployment, 0 for one that only steps in."
            " None: the order counts."
        ),
    ] = ()
    disabled: Annotated[bool, Meta(description="Whether the feature is switched off.")] = False


class KeyEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[keys]]``."""

    name: Annotated[str, Meta(description="Name of the key, shown in logs and traces.")]
    role: Annotated[str, Meta(description="`admin`, `developer` or `auditor`.")]
    key: Annotated[str, Meta(description="The key itself: a secret reference.")]
    models: Annotated[
        tuple[str, ...], Meta(description="Models that the key may use; none listed: all.")
    ] = ()
    team: Annotated[str, Meta(description="The team of the key's holder; empty: none.")] = ""
    requests_per_minute: Annotated[
        PerMinute | None, Meta(description="Requests with this key in a minute.")
    ] = None
    tokens_per_minute: Annotated[
        PerMinute | None,
        Meta(description="Tokens, asked and answered, with this key in a minute."),
    ] = None
