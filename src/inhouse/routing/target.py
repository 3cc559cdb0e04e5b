"""From the model name that a caller sends to the deployments that may answer."""

from __future__ import annotations

import difflib

from msgspec import Struct, field

from inhouse.core.catalog import Catalog, Deployment, Role
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller
from inhouse.errors import ForbiddenError, UnknownModelError


class Target(Struct, frozen=True, kw_only=True):
    """What a caller asked for, resolved: `model` as sent, the feature, deployments best first.

    `weights` are those of a group, one a deployment; empty where the order counts. `deadlines` are
    what the request itself says.
    """

    model: str
    feature: Feature
    deployments: tuple[Deployment, ...]
    weights: tuple[int, ...] = ()
    caller: Caller
    deadlines: DeadlineOverrides = field(default_factory=DeadlineOverrides)


def resolve(
    catalog: Catalog,
    model: str,
    caller: Caller,
    feature: Feature,
    deadlines: DeadlineOverrides | None = None,
) -> Target:
    """Return what serves `model`: a feature's name, or a deployment's, asked as `feature`.

    Raises:
        ForbiddenError: the caller's key does not allow the model, or models at all.
        UnknownModelError: there is no such model, or nothing serves the feature.

    """
    _check(model, caller)
    deadlines = deadlines or DeadlineOverrides()
    deployment = catalog.deployments.get(model)
    if deployment is not None:
        return Target(
            model=model,
            feature=feature,
            deployments=(deployment,),
            caller=caller,
            deadlines=deadlines,
        )
    try:
        feature = Feature(model)
    except ValueError:
        raise _unknown(catalog, model, caller) from None
    route = catalog.serving(feature, caller.team)
    return Target(
        model=model,
        feature=feature,
        deployments=tuple(catalog.deployments[name] for name in route.deployments),
        weights=route.weights,
        caller=caller,
        deadlines=deadlines,
    )


def named(
    catalog: Catalog,
    deployment: Deployment,
    caller: Caller,
    feature: Feature,
    deadlines: DeadlineOverrides,
) -> Target:
    """Return the target of a request for `feature` that itself names a model.

    Raises:
        ForbiddenError: the caller's key does not allow the model; for one that is not registered,
            the feature.
        UnknownModelError: the feature is disabled.

    """
    known = deployment.name in catalog.deployments
    permit(catalog, deployment.name if known else feature.value, caller, feature)
    return Target(
        model=deployment.name,
        feature=feature,
        deployments=(deployment,),
        caller=caller,
        deadlines=deadlines,
    )


def permit(catalog: Catalog, model: str, caller: Caller, feature: Feature) -> None:
    """Raise unless the caller may ask `model` for `feature`.

    Raises:
        ForbiddenError: the caller's key does not allow the model, or models at all.
        UnknownModelError: the feature is disabled.

    """
    _check(model, caller)
    catalog.check_enabled(feature, caller.team)


def usable(catalog: Catalog, caller: Caller) -> list[str]:
    """Return the model names that the caller may ask for: features that are served, deployments."""
    features = [each.value for each in Feature if catalog.serves(each, caller.team)]
    return [name for name in [*features, *sorted(catalog.deployments)] if caller.may_use(name)]


def _check(model: str, caller: Caller) -> None:
    """Raise `ForbiddenError` where the caller's key does not allow the model, or models at all."""
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


def _unknown(catalog: Catalog, model: str, caller: Caller) -> UnknownModelError:
    near = difflib.get_close_matches(model, usable(catalog, caller), n=3, cutoff=0.5)
    hint = f" Did you mean: {', '.join(near)}?" if near else " GET /v1/models lists what there is."
    return UnknownModelError(f"There is no model '{model[:100]}'.{hint}", param="model")
