"""``/v1/models/definitions``: which models serve which of GitLab's features."""

from __future__ import annotations

from collections.abc import Iterator

from inhouse.core.catalog import Catalog
from inhouse.core.feature import Feature
from inhouse.errors import UnknownModelError
from inhouse.server.api.gitlab.refusals import GITLAB
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.wire.gitlab.definitions import Definition, answer
from inhouse.wire.gitlab.features import FEATURES


async def definitions(exchange: Exchange) -> None:
    """List our features and deployments by name; anybody may ask, so no addresses are told."""
    await exchange.answer(answer(_models(exchange.gateway.catalog)))


def _models(catalog: Catalog) -> Iterator[Definition]:
    for feature in dict.fromkeys(FEATURES.values()):
        yield Definition(
            name=f"{feature} - inhouse",
            identifier=feature.value,
            provider="inhouse",
            description=_served(catalog, feature),
        )
    for name in sorted(catalog.deployments):
        deployment = catalog.deployments[name]
        yield Definition(
            name=f"{name} - {deployment.provider}",
            identifier=name,
            provider=deployment.provider,
            description=f"A model of the family '{deployment.family}'.",
        )


def _served(catalog: Catalog, feature: Feature) -> str:
    try:
        return f"Answered by: {', '.join(catalog.serving(feature).deployments)}."
    except UnknownModelError as error:
        return error.message


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/models/definitions",
        handle=definitions,
        dialect=GITLAB,
        recorded=False,
    ),
)
