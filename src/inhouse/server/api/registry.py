"""The admin API: everything in the registry, as a table of operations under ``/api/v1``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from inhouse.core.catalog import Deployment, Feature, Route, Settings
from inhouse.core.secret import Secret
from inhouse.errors import ConflictError, InvalidValueError, NotFoundError
from inhouse.families import Family
from inhouse.server.api import shapes
from inhouse.server.operation import Call, Operation


class FamilyList(Struct, frozen=True):
    """All model families by name."""

    data: list[Family]


async def list_deployments(call: Call) -> shapes.DeploymentList:
    """``GET /api/v1/deployments``."""
    found = sorted(call.gateway.catalog.deployments.items())
    return shapes.DeploymentList([shapes.deployment_view(each) for _, each in found])


async def show_deployment(call: Call) -> shapes.DeploymentView:
    """``GET /api/v1/deployments/{name}``."""
    return shapes.deployment_view(_deployment(call))


async def add_deployment(call: Call) -> shapes.DeploymentView:
    """``POST /api/v1/deployments``."""
    body: shapes.NewDeployment = call.body
    if body.name in call.gateway.catalog.deployments:
        raise ConflictError(f"There is a deployment '{body.name}' already.", param="name")
    return await _put_deployment(call, body.name, body, Secret(body.api_key))


async def put_deployment(call: Call) -> shapes.DeploymentView:
    """``PUT /api/v1/deployments/{name}``: add or replace; the key stays where none is sent."""
    body: shapes.DeploymentBody = call.body
    name = call.variables["name"]
    known = call.gateway.catalog.deployments.get(name)
    if body.api_key is not UNSET:
        api_key = Secret(body.api_key)
    else:
        api_key = Secret() if known is None else known.api_key
    return await _put_deployment(call, name, body, api_key)


async def remove_deployment(call: Call) -> None:
    """``DELETE /api/v1/deployments/{name}``."""
    await _change(call, call.gateway.registry.remove_deployment, call.variables["name"])


async def list_routes(call: Call) -> shapes.RouteList:
    """``GET /api/v1/routes``."""
    catalog = call.gateway.catalog
    return shapes.RouteList([shapes.route_view(catalog, feature) for feature in Feature])


async def show_route(call: Call) -> shapes.RouteView:
    """``GET /api/v1/routes/{feature}``."""
    return shapes.route_view(call.gateway.catalog, _feature(call))


async def put_route(call: Call) -> shapes.RouteView:
    """``PUT /api/v1/routes/{feature}``."""
    body: shapes.RouteBody = call.body
    feature = _feature(call)
    route = Route(feature=feature, deployments=body.deployments, disabled=body.disabled)
    unknown = [each for each in body.deployments if each not in call.gateway.catalog.deployments]
    if unknown:
        raise InvalidValueError(f"There is no deployment '{unknown[0]}'.", param="deployments")
    await _change(call, call.gateway.registry.set_route, route)
    return shapes.route_view(call.gateway.catalog, feature)


async def remove_route(call: Call) -> shapes.RouteView:
    """``DELETE /api/v1/routes/{feature}``: the parent's route holds again, where there is one."""
    feature = _feature(call)
    await _change(call, call.gateway.registry.remove_route, feature)
    return shapes.route_view(call.gateway.catalog, feature)


async def list_keys(call: Call) -> shapes.KeyList:
    """``GET /api/v1/keys``."""
    keys = sorted(call.gateway.catalog.keys.values(), key=lambda key: key.name)
    return shapes.KeyList([shapes.key_view(key) for key in keys])


async def create_key(call: Call) -> shapes.CreatedKey:
    """``POST /api/v1/keys``: the answer is the only time that the key is shown."""
    body: shapes.NewKey = call.body
    secret = await _change(
        call, call.gateway.registry.create_key, body.name, body.role, body.models
    )
    return shapes.CreatedKey(
        name=body.name, role=body.role, models=body.models, key=secret.reveal()
    )


async def revoke_key(call: Call) -> None:
    """``DELETE /api/v1/keys/{name}``."""
    await _change(call, call.gateway.registry.revoke_key, call.variables["name"])


async def show_settings(call: Call) -> Settings:
    """``GET /api/v1/settings``."""
    return call.gateway.catalog.settings


async def change_settings(call: Call) -> Settings:
    """``PATCH /api/v1/settings``: those left out stay as they are."""
    given = {
        name: value
        for name, value in msgspec.structs.asdict(call.body).items()
        if value is not UNSET
    }
    if given:
        await _change(call, call.gateway.registry.change_settings, given)
    return call.gateway.catalog.settings


async def list_families(call: Call) -> FamilyList:
    """``GET /api/v1/families``."""
    return FamilyList(list(call.gateway.families))


async def show_family(call: Call) -> Family:
    """``GET /api/v1/families/{name}``."""
    return call.gateway.families.get(call.variables["name"])


async def list_traces(call: Call) -> shapes.TraceList:
    """``GET /api/v1/traces``."""
    gateway = call.gateway
    return shapes.TraceList(await asyncio.to_thread(gateway.registry.list_traces, call.query.limit))


def _deployment(call: Call) -> Deployment:
    name = call.variables["name"]
    found = call.gateway.catalog.deployments.get(name)
    if found is None:
        raise NotFoundError(f"There is no deployment '{name}'.", param="name")
    return found


def _feature(call: Call) -> Feature:
    name = call.variables["feature"]
    try:
        return Feature(name)
    except ValueError:
        known = ", ".join(Feature)
        raise NotFoundError(f"There is no feature '{name}', only: {known}.") from None


async def _put_deployment(
    call: Call, name: str, body: shapes.NewDeployment | shapes.DeploymentBody, api_key: Secret
) -> shapes.DeploymentView:
    gateway = call.gateway
    if body.family not in gateway.families:
        raise InvalidValueError(
            f"There is no model family '{body.family}'. GET /api/v1/families lists them.",
            param="family",
        )
    deployment = Deployment(
        name=name,
        family=body.family,
        identifier=body.identifier,
        endpoint=body.endpoint,
        api_key=api_key,
        options=body.options,
    )
    await asyncio.to_thread(gateway.provider(deployment).check, deployment)
    await _change(call, gateway.registry.put_deployment, deployment)
    return shapes.deployment_view(gateway.catalog.deployments[name])


async def _change(call: Call, change: Callable[..., Any], *what: object) -> Any:
    """Change the registry in the caller's name, and have it hold at once."""
    changed = await asyncio.to_thread(change, *what, author=call.caller.name)
    await call.gateway.refresh()
    return changed


_EXAMPLE_DEPLOYMENT = {
    "family": "codestral",
    "identifier": "custom_openai/codestral",
    "endpoint": "http://127.0.0.1:8000/v1",
    "api_key": "the upstream's key",
}

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/deployments",
        summary="List deployments",
        tag="deployments",
        run=list_deployments,
        answer=shapes.DeploymentList,
    ),
    Operation(
        method="POST",
        path="/api/v1/deployments",
        summary="Add a deployment",
        tag="deployments",
        run=add_deployment,
        body=shapes.NewDeployment,
        answer=shapes.DeploymentView,
        status=201,
        writes=True,
        example={"name": "codestral on vLLM", **_EXAMPLE_DEPLOYMENT},
    ),
    Operation(
        method="GET",
        path="/api/v1/deployments/{name}",
        summary="Show a deployment",
        tag="deployments",
        run=show_deployment,
        answer=shapes.DeploymentView,
    ),
    Operation(
        method="PUT",
        path="/api/v1/deployments/{name}",
        summary="Add or replace a deployment",
        tag="deployments",
        run=put_deployment,
        body=shapes.DeploymentBody,
        answer=shapes.DeploymentView,
        writes=True,
        example=_EXAMPLE_DEPLOYMENT,
    ),
    Operation(
        method="DELETE",
        path="/api/v1/deployments/{name}",
        summary="Remove a deployment",
        tag="deployments",
        run=remove_deployment,
        status=204,
        writes=True,
    ),
    Operation(
        method="GET",
        path="/api/v1/routes",
        summary="List what serves each feature",
        tag="routes",
        run=list_routes,
        answer=shapes.RouteList,
    ),
    Operation(
        method="GET",
        path="/api/v1/routes/{feature}",
        summary="Show what serves a feature",
        tag="routes",
        run=show_route,
        answer=shapes.RouteView,
    ),
    Operation(
        method="PUT",
        path="/api/v1/routes/{feature}",
        summary="Assign deployments to a feature, or disable it",
        tag="routes",
        run=put_route,
        body=shapes.RouteBody,
        answer=shapes.RouteView,
        writes=True,
        example={"deployments": ["codestral on vLLM"]},
    ),
    Operation(
        method="DELETE",
        path="/api/v1/routes/{feature}",
        summary="Remove a feature's own route, so that it inherits",
        tag="routes",
        run=remove_route,
        answer=shapes.RouteView,
        writes=True,
    ),
    Operation(
        method="GET",
        path="/api/v1/keys",
        summary="List API keys",
        tag="keys",
        run=list_keys,
        answer=shapes.KeyList,
    ),
    Operation(
        method="POST",
        path="/api/v1/keys",
        summary="Make an API key, shown in this answer only",
        tag="keys",
        run=create_key,
        body=shapes.NewKey,
        answer=shapes.CreatedKey,
        status=201,
        writes=True,
        example={"name": "ada", "role": "developer"},
    ),
    Operation(
        method="DELETE",
        path="/api/v1/keys/{name}",
        summary="Revoke an API key",
        tag="keys",
        run=revoke_key,
        status=204,
        writes=True,
    ),
    Operation(
        method="GET",
        path="/api/v1/settings",
        summary="Show the settings",
        tag="settings",
        run=show_settings,
        answer=Settings,
    ),
    Operation(
        method="PATCH",
        path="/api/v1/settings",
        summary="Change settings",
        tag="settings",
        run=change_settings,
        body=shapes.SettingsChange,
        answer=Settings,
        writes=True,
        example={"completion_max_tokens": 64},
    ),
    Operation(
        method="GET",
        path="/api/v1/families",
        summary="List model families",
        tag="families",
        run=list_families,
        answer=FamilyList,
    ),
    Operation(
        method="GET",
        path="/api/v1/families/{name}",
        summary="Show a model family",
        tag="families",
        run=show_family,
        answer=Family,
    ),
    Operation(
        method="GET",
        path="/api/v1/traces",
        summary="List traces, newest first",
        tag="traces",
        run=list_traces,
        query=shapes.ListQuery,
        answer=shapes.TraceList,
    ),
)

ENDPOINTS = tuple(operation.endpoint() for operation in OPERATIONS)
