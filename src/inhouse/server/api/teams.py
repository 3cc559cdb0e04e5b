"""The admin API's operations on teams and their routes, and what they take and show."""

from __future__ import annotations

from msgspec import Struct

from inhouse.core.catalog import Catalog, Limits, PerMinute, Team
from inhouse.core.feature import Feature
from inhouse.errors import ConflictError, NotFoundError
from inhouse.server.api import routes
from inhouse.server.api.changing import change, feature
from inhouse.server.operation import Call, Operation


class TeamView(Struct, frozen=True, kw_only=True):
    """A team, null for no limit; the names of its keys, the features that it has routes for."""

    name: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    keys: list[str]
    routes: list[Feature]
    declared: bool


class TeamBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team's limits, shared by all its keys; null or left out is no limit."""

    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None


class NewTeam(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team to make."""

    name: str
    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None


class TeamList(Struct, frozen=True):
    """All teams by name."""

    data: list[TeamView]


async def list_teams(call: Call) -> TeamList:
    """``GET /api/v1/teams``."""
    catalog = call.gateway.catalog
    return TeamList([_view(catalog, each) for _, each in sorted(catalog.teams.items())])


async def show_team(call: Call) -> TeamView:
    """``GET /api/v1/teams/{name}``."""
    return _view(call.gateway.catalog, _team(call))


async def create_team(call: Call) -> TeamView:
    """``POST /api/v1/teams``."""
    body: NewTeam = call.body
    if body.name in call.gateway.catalog.teams:
        raise ConflictError(f"There is a team '{body.name}' already.", param="name")
    return await _put(call, body.name, body)


async def put_team(call: Call) -> TeamView:
    """``PUT /api/v1/teams/{name}``: create or replace."""
    return await _put(call, call.variables["name"], call.body)


async def remove_team(call: Call) -> None:
    """``DELETE /api/v1/teams/{name}``: refused while it has keys or routes."""
    await change(call, call.gateway.registry.remove_team, call.variables["name"])


async def list_team_routes(call: Call) -> routes.RouteList:
    """``GET /api/v1/teams/{name}/routes``."""
    catalog, team = call.gateway.catalog, _team(call)
    return routes.RouteList([routes.view(catalog, each, team.name) for each in Feature])


async def show_team_route(call: Call) -> routes.RouteView:
    """``GET /api/v1/teams/{name}/routes/{feature}``."""
    return routes.view(call.gateway.catalog, feature(call), _team(call).name)


async def put_team_route(call: Call) -> routes.RouteView:
    """``PUT /api/v1/teams/{name}/routes/{feature}``."""
    return await routes.put(call, _team(call).name)


async def remove_team_route(call: Call) -> routes.RouteView:
    """``DELETE /api/v1/teams/{name}/routes/{feature}``: what everybody has holds again."""
    return await routes.remove(call, _team(call).name)


def _team(call: Call) -> Team:
    name = call.variables["name"]
    found = call.gateway.catalog.teams.get(name)
    if found is None:
        raise NotFoundError(f"There is no team '{name}'.", param="name")
    return found


async def _put(call: Call, name: str, body: TeamBody | NewTeam) -> TeamView:
    limits = Limits(
        requests_per_minute=body.requests_per_minute, tokens_per_minute=body.tokens_per_minute
    )
    team = Team(name=name, limits=limits)
    await change(call, call.gateway.registry.put_team, team)
    # Somebody else may have removed it since.
    catalog = call.gateway.catalog
    return _view(catalog, catalog.teams.get(name, team))


def _view(catalog: Catalog, team: Team) -> TeamView:
    return TeamView(
        name=team.name,
        requests_per_minute=team.limits.requests_per_minute,
        tokens_per_minute=team.limits.tokens_per_minute,
        keys=sorted(key.name for key in catalog.keys.values() if key.team == team.name),
        routes=[each for each in Feature if (team.name, each) in catalog.team_routes],
        declared=team.declared,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/teams",
        summary="List teams",
        tag="teams",
        run=list_teams,
        answer=TeamList,
    ),
    Operation(
        method="POST",
        path="/api/v1/teams",
        summary="Make a team",
        tag="teams",
        run=create_team,
        body=NewTeam,
        answer=TeamView,
        status=201,
        writes=True,
        example={"name": "payments", "tokens_per_minute": 2_000_000},
    ),
    Operation(
        method="GET",
        path="/api/v1/teams/{name}",
        summary="Show a team",
        tag="teams",
        run=show_team,
        answer=TeamView,
    ),
    Operation(
        method="PUT",
        path="/api/v1/teams/{name}",
        summary="Make a team, or replace its limits",
        tag="teams",
        run=put_team,
        body=TeamBody,
        answer=TeamView,
        writes=True,
        example={"requests_per_minute": 1200},
    ),
    Operation(
        method="DELETE",
        path="/api/v1/teams/{name}",
        summary="Remove a team that has no keys and routes",
        tag="teams",
        run=remove_team,
        status=204,
        writes=True,
    ),
    Operation(
        method="GET",
        path="/api/v1/teams/{name}/routes",
        summary="List what serves each feature for a team",
        tag="teams",
        run=list_team_routes,
        answer=routes.RouteList,
    ),
    Operation(
        method="GET",
        path="/api/v1/teams/{name}/routes/{feature}",
        summary="Show what serves a feature for a team",
        tag="teams",
        run=show_team_route,
        answer=routes.RouteView,
    ),
    Operation(
        method="PUT",
        path="/api/v1/teams/{name}/routes/{feature}",
        summary="Assign deployments to a feature for a team, or disable it there",
        tag="teams",
        run=put_team_route,
        body=routes.RouteBody,
        answer=routes.RouteView,
        writes=True,
        example={"deployments": ["codestral on vLLM", "qwen"], "weights": [3, 1]},
    ),
    Operation(
        method="DELETE",
        path="/api/v1/teams/{name}/routes/{feature}",
        summary="Remove a team's own route, so that it has everybody's",
        tag="teams",
        run=remove_team_route,
        answer=routes.RouteView,
        writes=True,
    ),
)
