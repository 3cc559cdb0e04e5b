"""What the operations of the admin API do: ask or change the registry, in the caller's name."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from inhouse.core.catalog import Deployment
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings
from inhouse.errors import ConflictError, InvalidValueError, NotFoundError
from inhouse.families import Family
from inhouse.features.checks import check_deployment
from inhouse.server.api import shapes
from inhouse.server.api.changing import change
from inhouse.server.operation import Call
from inhouse.store import Filter


async def list_deployments(call: Call) -> shapes.DeploymentList:
    """``GET /api/v1/deployments``."""
    found = sorted(call.gateway.catalog.deployments.items())
    return shapes.DeploymentList([_view(call, each) for _, each in found])


async def show_deployment(call: Call) -> shapes.DeploymentView:
    """``GET /api/v1/deployments/{name}``."""
    return _view(call, named_deployment(call))


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
    await change(call, call.gateway.registry.remove_deployment, call.variables["name"])


async def test_deployment(call: Call) -> shapes.CheckList:
    """``POST /api/v1/deployments/{name}/test``: asks the upstream a little, as a caller would."""
    gateway, deployment = call.gateway, named_deployment(call)
    provider, settings = gateway.provider(deployment), gateway.catalog.settings
    checks = check_deployment(deployment, provider, gateway.families, settings)
    return shapes.CheckList([check async for check in checks])


async def show_settings(call: Call) -> Settings:
    """``GET /api/v1/settings``."""
    return call.gateway.catalog.settings


async def change_settings(call: Call) -> Settings:
    """``PATCH /api/v1/settings``: those left out stay; null gives one its default back."""
    given = {
        name: value
        for name, value in msgspec.structs.asdict(call.body).items()
        if value is not UNSET
    }
    if given:
        await change(call, call.gateway.registry.change_settings, given)
    return call.gateway.catalog.settings


async def list_families(call: Call) -> shapes.FamilyList:
    """``GET /api/v1/families``."""
    return shapes.FamilyList(list(call.gateway.families))


async def show_family(call: Call) -> Family:
    """``GET /api/v1/families/{name}``."""
    return call.gateway.families.get(call.variables["name"])


async def list_traces(call: Call) -> shapes.TraceList:
    """``GET /api/v1/traces``."""
    wanted = _given(call.query)
    place = {name: wanted.pop(name) for name in ("limit", "before") if name in wanted}
    traces = call.gateway.registry.traces
    found = await asyncio.to_thread(traces.list_traces, where=Filter(**wanted), **place)
    return shapes.TraceList(list(found))


async def list_revisions(call: Call) -> shapes.RevisionList:
    """``GET /api/v1/revisions``."""
    found = await asyncio.to_thread(call.gateway.registry.revisions, **_given(call.query))
    return shapes.RevisionList([shapes.revision_summary(each) for each in found])


async def show_revision(call: Call) -> shapes.RevisionView:
    """``GET /api/v1/revisions/{number}``: with its diff."""
    found = await asyncio.to_thread(call.gateway.registry.show, _number(call))
    return shapes.revision_view(found)


async def roll_back(call: Call) -> shapes.ChangeList:
    """``POST /api/v1/revisions/{number}/rollback``: what is not declared is again as it was."""
    changes = await change(call, call.gateway.registry.rollback, _number(call))
    return shapes.ChangeList(call.gateway.catalog.revision, list(changes))


def _given(fields: Struct) -> dict[str, Any]:
    """Return the fields that the caller did send."""
    found = msgspec.structs.asdict(fields)
    return {name: value for name, value in found.items() if value is not UNSET}


def _number(call: Call) -> int:
    text = call.variables["number"]
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise NotFoundError(f"There is no revision '{text[:20]}'.", param="number")
    return int(text)


def named_deployment(call: Call) -> Deployment:
    """Return the deployment that the path names; raises `NotFoundError`."""
    name = call.variables["name"]
    found = call.gateway.catalog.deployments.get(name)
    if found is None:
        raise NotFoundError(f"There is no deployment '{name}'.", param="name")
    return found


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
        deadlines=body.deadlines,
        max_concurrent=body.max_concurrent,
    )
    await asyncio.to_thread(gateway.provider(deployment).check, deployment)
    await change(call, gateway.registry.put_deployment, deployment)
    # Somebody else may have removed it since.
    return _view(call, gateway.catalog.deployments.get(name, deployment))


def _view(call: Call, deployment: Deployment) -> shapes.DeploymentView:
    return shapes.deployment_view(deployment, call.gateway.standings[deployment])
