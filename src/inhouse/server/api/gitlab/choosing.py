"""Whose model answers: our route's, or the one that the request names."""

from __future__ import annotations

from inhouse.core.feature import Feature
from inhouse.core.requests import RequestedModel
from inhouse.routing.target import Target, resolve
from inhouse.server.api.gitlab.door import Visitor
from inhouse.server.exchange import Exchange


async def target(
    exchange: Exchange, visitor: Visitor, requested: RequestedModel | None, feature: Feature
) -> Target:
    """Return what answers a request for `feature`, and note it with its warnings.

    Raises:
        ForbiddenError: the caller may not use the model.
        InvalidValueError: the request names a model that cannot be asked.
        UnknownModelError: nothing serves the feature.

    """
    _ = requested
    found = resolve(
        exchange.gateway.catalog, feature.value, visitor.caller, feature, exchange.deadlines()
    )
    exchange.recording.model = found.model
    exchange.recording.feature = found.feature
    return found
