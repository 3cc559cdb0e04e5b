"""The admin API's operations on API keys, and what they take and show."""

from __future__ import annotations

from msgspec import UNSET, Struct

from inhouse.core.catalog import ApiKey, Limits, PerMinute, Role
from inhouse.errors import NotFoundError
from inhouse.server.api.changing import change, check_team
from inhouse.server.operation import Call, Operation
from inhouse.store import KeyChange


class KeyView(Struct, frozen=True, kw_only=True):
    """An API key, without the key; `created_at` is a Unix time, null is no limit."""

    name: str
    role: Role
    models: tuple[str, ...]
    team: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    declared: bool
    created_at: float


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make; no `models` allow every model, the empty `team` is none."""

    name: str
    role: Role
    models: tuple[str, ...] = ()
    team: str = ""
    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None


class CreatedKey(Struct, frozen=True, kw_only=True):
    """A new key; `key` is shown this once."""

    name: str
    role: Role
    models: tuple[str, ...]
    team: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    key: str


class KeyList(Struct, frozen=True):
    """All keys by name."""

    data: list[KeyView]


async def list_keys(call: Call) -> KeyList:
    """``GET /api/v1/keys``."""
    keys = sorted(call.gateway.catalog.keys.values(), key=lambda key: key.name)
    return KeyList([_view(key) for key in keys])


async def show_key(call: Call) -> KeyView:
    """``GET /api/v1/keys/{name}``."""
    name = call.variables["name"]
    for key in call.gateway.catalog.keys.values():
        if key.name == name:
            return _view(key)
    raise NotFoundError(f"There is no key '{name}'.", param="name")


async def create_key(call: Call) -> CreatedKey:
    """``POST /api/v1/keys``: the answer is the only time that the key is shown."""
    body: NewKey = call.body
    check_team(call, body.team)
    limits = Limits(
        requests_per_minute=body.requests_per_minute, tokens_per_minute=body.tokens_per_minute
    )
    create = call.gateway.registry.create_key
    secret = await change(
        call, create, body.name, body.role, body.models, team=body.team, limits=limits
    )
    return CreatedKey(
        name=body.name,
        role=body.role,
        models=body.models,
        team=body.team,
        requests_per_minute=body.requests_per_minute,
        tokens_per_minute=body.tokens_per_minute,
        key=secret.reveal(),
    )


async def change_key(call: Call) -> KeyView:
    """``PATCH /api/v1/keys/{name}``: what is left out stays."""
    body: KeyChange = call.body
    if body.team is not UNSET:
        check_team(call, body.team)
    await change(call, call.gateway.registry.change_key, call.variables["name"], body)
    return await show_key(call)


async def revoke_key(call: Call) -> None:
    """``DELETE /api/v1/keys/{name}``."""
    await change(call, call.gateway.registry.revoke_key, call.variables["name"])


def _view(key: ApiKey) -> KeyView:
    return KeyView(
        name=key.name,
        role=key.role,
        models=key.models,
        team=key.team,
        requests_per_minute=key.limits.requests_per_minute,
        tokens_per_minute=key.limits.tokens_per_minute,
        declared=key.declared,
        created_at=key.created_at,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/keys",
        summary="List API keys",
        tag="keys",
        run=list_keys,
        answer=KeyList,
    ),
    Operation(
        method="POST",
        path="/api/v1/keys",
        summary="Make an API key, shown in this answer only",
        tag="keys",
        run=create_key,
        body=NewKey,
        answer=CreatedKey,
        status=201,
        writes=True,
        example={"name": "ada", "role": "developer"},
    ),
    Operation(
        method="GET",
        path="/api/v1/keys/{name}",
        summary="Show an API key, without the key",
        tag="keys",
        run=show_key,
        answer=KeyView,
    ),
    Operation(
        method="PATCH",
        path="/api/v1/keys/{name}",
        summary="Change an API key's models, team or limits",
        tag="keys",
        run=change_key,
        body=KeyChange,
        answer=KeyView,
        writes=True,
        example={"models": ["completion"], "tokens_per_minute": 100_000},
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
)
