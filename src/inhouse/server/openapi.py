"""``GET /api/openapi.json``: written from the table of operations that also drives them."""

from __future__ import annotations

import functools
import re
from typing import Any

import msgspec

import inhouse
from inhouse.server.api.operations import OPERATIONS
from inhouse.server.exchange import Exchange
from inhouse.server.operation import ADMIN, LINES, ErrorAnswer, Operation
from inhouse.server.router import Endpoint

_ABOUT = """\
Everything in the registry: deployments, teams, routes, keys, settings, revisions; families and
traces.

Send an API key as `Authorization: Bearer KEY`. The role `admin` may do everything, `auditor` may
read, `developer` may do neither: its place are the dialects for editors, OpenAI's under `/v1` and
Tabby's under `/tabby`.

Secrets are write-only. Every change is a numbered revision with its author, and can be rolled back.
Entries that `inhouse.toml` declares are read-only here and answer 409.
"""

_ERRORS = {
    400: "The body is not JSON.",
    401: "No API key, or one that is unknown or revoked.",
    403: "The key's role does not allow this.",
    404: "There is no entry of that name.",
    409: "The name is taken, declared in a file, or still in use.",
    413: "The body is larger than the configured limit.",
    422: "A field is missing, mistyped or out of range.",
}


async def show(exchange: Exchange) -> None:
    """Send the document; it holds no secrets, so it needs no key."""
    await exchange.answer(encoded())


@functools.cache
def encoded() -> bytes:
    """Return the document as JSON."""
    return msgspec.json.encode(document())


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the admin API."""
    shapes = [ErrorAnswer, *_shapes()]
    references, components = msgspec.json.schema_components(
        shapes, ref_template="#/components/schemas/{name}"
    )
    reference = dict(zip(map(id, shapes), references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        described = _operation(operation, reference, components)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    # What a query holds is described parameter by parameter.
    for query in {each.query.__name__ for each in OPERATIONS if each.query is not None}:
        del components[query]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "inhouse admin API",
            "version": inhouse.__version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                _error_name(status): _error(text, reference[id(ErrorAnswer)])
                for status, text in _ERRORS.items()
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _shapes() -> list[Any]:
    found = [each for one in OPERATIONS for each in (one.body, one.answer, one.query)]
    return [each for each in dict.fromkeys(found) if each is not None]


def _operation(
    operation: Operation, reference: dict[int, Any], components: dict[str, Any]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.run.__name__,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_variables(operation), *_query(operation, components)],
        "responses": {str(operation.status): _success(operation, reference)},
    }
    for status in _possible_errors(operation):
        name = f"#/components/responses/{_error_name(status)}"
        described["responses"][str(status)] = {"$ref": name}
    if operation.body is not None:
        content: dict[str, Any] = {"schema": reference[id(operation.body)]}
        if operation.example is not None:
            content["example"] = operation.example
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    return described


def _variables(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]


def _query(operation: Operation, components: dict[str, Any]) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    fields = components[operation.query.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": each} for name, each in fields.items()]


def _success(operation: Operation, reference: dict[int, Any]) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "Done."}
    kind = LINES if operation.lines else "application/json"
    content = {kind: {"schema": reference[id(operation.answer)]}}
    return {"description": "Done.", "content": content}


def _possible_errors(operation: Operation) -> list[int]:
    possible = [401, 403]
    if operation.body is not None:
        possible += [400, 404, 413, 422]
    if operation.query is not None:
        possible += [422]
    if "{" in operation.path or operation.query is not None:
        possible += [404]
    if operation.writes:
        possible += [409]
    return sorted(set(possible))


def _error(text: str, reference: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": reference}}}


def _error_name(status: int) -> str:
    return f"Error{status}"


ENDPOINTS = (
    Endpoint(method="GET", path="/api/openapi.json", handle=show, dialect=ADMIN, recorded=False),
)
