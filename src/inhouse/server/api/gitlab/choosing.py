"""Whose model answers: our route's, or the one that the request names."""

from __future__ import annotations

from inhouse.core.feature import Feature
from inhouse.core.requests import RequestedModel
from inhouse.routing.requested import registered, told
from inhouse.routing.target import Target, named, permit, resolve
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
    gateway, recording = exchange.gateway, exchange.recording
    recording.model = recording.feature = feature.value  # what is refused is found by it
    found = None if requested is None else await _named(exchange, visitor, requested, feature)
    if found is None:
        found = resolve(
            gateway.catalog, feature.value, visitor.caller, feature, exchange.deadlines()
        )
        if requested is not None:
            names = ", ".join(each.name for each in found.deployments)
            recording.warn(
                f"The request asks for the model {told(requested)}, which is not registered here"
                f" for it: the route of '{found.feature}' answers ({names})."
            )
    recording.model = found.model
    recording.feature = found.feature
    return found


async def _named(
    exchange: Exchange, visitor: Visitor, model: RequestedModel, feature: Feature
) -> Target | None:
    """Return the target of the model that a request names, None where our route is to answer."""
    gateway, caller = exchange.gateway, visitor.caller
    if gateway.config.gitlab.models == "request" and not model.listed:
        # Whoever is refused must not have us connect anywhere.
        permit(gateway.catalog, feature.value, caller, feature)
        deployment = await gateway.requested.find(model)
        if model.family not in gateway.families:
            exchange.recording.warn(
                f"There is no model family '{model.family}': the model is asked as one of the"
                f" family '{deployment.family}'."
            )
    else:
        known = registered(gateway.catalog, model)
        if known is None or not caller.may_use(known.name):
            return None
        deployment = known
    return named(gateway.catalog, deployment, caller, feature, exchange.deadlines())
