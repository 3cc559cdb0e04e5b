"""The admin API under ``/api/v1``, as the table that drives it and documents it."""

from __future__ import annotations

from inhouse.core.settings import Settings
from inhouse.families import Family
from inhouse.server.api import keys, probing, registry, routes, shapes, teams
from inhouse.server.operation import Operation

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
        run=registry.list_deployments,
        answer=shapes.DeploymentList,
    ),
    Operation(
        method="POST",
        path="/api/v1/deployments",
        summary="Add a deployment",
        tag="deployments",
        run=registry.add_deployment,
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
        run=registry.show_deployment,
        answer=shapes.DeploymentView,
    ),
    Operation(
        method="PUT",
        path="/api/v1/deployments/{name}",
        summary="Add or replace a deployment",
        tag="deployments",
        run=registry.put_deployment,
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
        run=registry.remove_deployment,
        status=204,
        writes=True,
    ),
    Operation(
        method="POST",
        path="/api/v1/deployments/{name}/test",
        summary="Test a deployment: what is wrong with it, and how to mend it",
        tag="deployments",
        run=registry.test_deployment,
        answer=shapes.CheckList,
        writes=True,
    ),
    *probing.OPERATIONS,
    *teams.OPERATIONS,
    *routes.OPERATIONS,
    *keys.OPERATIONS,
    Operation(
        method="GET",
        path="/api/v1/settings",
        summary="Show the settings",
        tag="settings",
        run=registry.show_settings,
        answer=Settings,
    ),
    Operation(
        method="PATCH",
        path="/api/v1/settings",
        summary="Change settings",
        tag="settings",
        run=registry.change_settings,
        body=shapes.SettingsChange,
        answer=Settings,
        writes=True,
        example={"completion_max_tokens": 64},
    ),
    Operation(
        method="GET",
        path="/api/v1/revisions",
        summary="List the changes of the registry, newest first",
        tag="revisions",
        run=registry.list_revisions,
        query=shapes.RevisionQuery,
        answer=shapes.RevisionList,
    ),
    Operation(
        method="GET",
        path="/api/v1/revisions/{number}",
        summary="Show a change with its diff",
        tag="revisions",
        run=registry.show_revision,
        answer=shapes.RevisionView,
    ),
    Operation(
        method="POST",
        path="/api/v1/revisions/{number}/rollback",
        summary="Bring what is not declared back to what it was after this revision",
        tag="revisions",
        run=registry.roll_back,
        answer=shapes.ChangeList,
        writes=True,
    ),
    Operation(
        method="GET",
        path="/api/v1/families",
        summary="List model families",
        tag="families",
        run=registry.list_families,
        answer=shapes.FamilyList,
    ),
    Operation(
        method="GET",
        path="/api/v1/families/{name}",
        summary="Show a model family",
        tag="families",
        run=registry.show_family,
        answer=Family,
    ),
    Operation(
        method="GET",
        path="/api/v1/traces",
        summary="List traces, newest first",
        tag="traces",
        run=registry.list_traces,
        query=shapes.TraceQuery,
        answer=shapes.TraceList,
    ),
)

ENDPOINTS = tuple(operation.endpoint() for operation in OPERATIONS)
