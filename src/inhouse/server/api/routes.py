"""The admin API's operations on routes, and what they take and show."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from inhouse.core.catalog import Catalog, Route, Weight
from inhouse.core.feature import Feature
from inhouse.errors import InvalidValueError
from inhouse.server.api.changing import change, feature
from inhouse.server.operation import Call, Operation
from inhouse.store import route_name
from inhouse.wire.gitlab.features import settings_of


class RouteView(Struct, frozen=True, kw_only=True):
    """What serves a feature, for everybody or for the members of `team`.

    `inherits` names the route that is taken over, as in ``chat`` or ``chat@payments``. `gitlab`
    holds GitLab's names for the feature.
    """

    feature: Feature
    team: str
    deployments: tuple[str, ...]
    weights: tuple[int, ...]
    disabled: bool
    declared: bool
    inherits: str | None
    gitlab: tuple[str, ...]


class RouteBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A route as it is to be: deployments, best first or with weights, or disabled."""

    deployments: tuple[str, ...] = ()
    weights: Annotated[
        tuple[Weight, ...],
        Meta(description="Shares of the load, one for each deployment; none: the order counts."),
    ] = ()
    disabled: bool = False


class RouteList(Struct, frozen=True):
    """Every feature's route."""

    data: list[RouteView]


async def list_routes(call: Call) -> RouteList:
    """``GET /api/v1/routes``."""
    return RouteList([view(call.gateway.catalog, each) for each in Feature])


async def show_route(call: Call) -> RouteView:
    """``GET /api/v1/routes/{feature}``."""
    return view(call.gateway.catalog, feature(call))


async def put_route(call: Call) -> RouteView:
    """``PUT /api/v1/routes/{feature}``."""
    return await put(call)


async def remove_route(call: Call) -> RouteView:
    """``DELETE /api/v1/routes/{feature}``: the parent's route holds again, where there is one."""
    return await remove(call)


async def put(call: Call, team: str = "") -> RouteView:
    """Create or replace the route that the path names, everybody's or a team's."""
    body: RouteBody = call.body
    route = Route(
        feature=feature(call),
        team=team,
        deployments=body.deployments,
        weights=body.weights,
        disabled=body.disabled,
    )
    unknown = [each for each in body.deployments if each not in call.gateway.catalog.deployments]
    if unknown:
        raise InvalidValueError(f"There is no deployment '{unknown[0]}'.", param="deployments")
    await change(call, call.gateway.registry.set_route, route)
    return view(call.gateway.catalog, route.feature, team)


async def remove(call: Call, team: str = "") -> RouteView:
    """Remove the route that the path names, and return what holds then."""
    await change(call, call.gateway.registry.remove_route, feature(call), team)
    return view(call.gateway.catalog, feature(call), team)


def view(catalog: Catalog, asked: Feature, team: str = "") -> RouteView:
    """Return what serves a feature, by its own route or an inherited one."""
    route = catalog.route(asked, team) or Route(feature=asked, team=team)
    own = route.feature is asked and route.team == team
    return RouteView(
        feature=asked,
        team=team,
        deployments=route.deployments,
        weights=route.weights,
        disabled=route.disabled,
        declared=route.declared,
        inherits=None if own else route_name(route.feature, route.team),
        gitlab=settings_of(asked),
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/routes",
        summary="List what serves each feature",
        tag="routes",
        run=list_routes,
        answer=RouteList,
    ),
    Operation(
        method="GET",
        path="/api/v1/routes/{feature}",
        summary="Show what serves a feature",
        tag="routes",
        run=show_route,
        answer=RouteView,
    ),
    Operation(
        method="PUT",
        path="/api/v1/routes/{feature}",
        summary="Assign deployments to a feature, or disable it",
        tag="routes",
        run=put_route,
        body=RouteBody,
        answer=RouteView,
        writes=True,
        example={"deployments": ["codestral on vLLM"]},
    ),
    Operation(
        method="DELETE",
        path="/api/v1/routes/{feature}",
        summary="Remove a feature's own route, so that it inherits",
        tag="routes",
        run=remove_route,
        answer=RouteView,
        writes=True,
    ),
)
