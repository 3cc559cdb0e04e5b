"""From the model name that a caller sends to the deployments that may answer."""

from __future__ import annotations

import difflib

from msgspec import Struct

from inhouse.core.catalog import Catalog, Deployment, Feature, Role
from inhouse.core.requests import Caller
from inhouse.errors import ForbiddenError, UnknownModelError


class Target(Struct, frozen=True):
    """What a caller asked for, resolved: `model` as sent, the feature, deployments best first."""

    model: str
    feature: Feature
    deployments: tuple[Deployment, ...]


def resolve(catalog: Catalog, model: str, caller: Caller, feature: Feature) -> Target:
    """Return what serves `model`: a feature's name, or a deployment's, asked as `feature`.

    Raises:
        ForbiddenError: the caller's key does not allow the model, or models at all.
        UnknownModelError: there is no such model, or nothing serves the feature.

    """
    if caller.role is Role.AUDITOR:
        raise ForbiddenError(
            "The key of an auditor reads the registry; it may not ask models."
            " Use a developer's key."
        )
    if not caller.may_use(model):
        raise ForbiddenError(
            f"The key '{caller.name}' may not use the model '{model[:100]}'; it may use:"
            f" {', '.join(caller.models)}.",
            param="model",
        )
    deployment = catalog.deployments.get(model)
    if deployment is not None:
        return Target(model, feature, (deployment,))
    try:
        feature = Feature(model)
    except ValueError:
        raise _unknown(catalog, model, caller) from None
    return Target(model, feature, catalog.serving(feature))


def usable(catalog: Catalog, caller: Caller) -> list[str]:
    """Return the model names that the caller may ask for: features that are served, deployments."""
    features = [each.value for each in Feature if _is_served(catalog, each)]
    return [name for name in [*features, *sorted(catalog.deployments)] if caller.may_use(name)]


def _is_served(catalog: Catalog, feature: Feature) -> bool:
    route = catalog.route(feature)
    return route is not None and not route.disabled and bool(route.deployments)


def _unknown(catalog: Catalog, model: str, caller: Caller) -> UnknownModelError:
    near = difflib.get_close_matches(model, usable(catalog, caller), n=3, cutoff=0.5)
    hint = f" Did you mean: {', '.join(near)}?" if near else " GET /v1/models lists what there is."
    return UnknownModelError(f"There is no model '{model[:100]}'.{hint}", param="model")
