"""The edits of API keys: made once, then only what they may do changes."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from inhouse.core.catalog import ApiKey, PerMinute
from inhouse.core.naming import did_you_mean
from inhouse.errors import ConflictError, NotFoundError
from inhouse.store.changes import Document, Kind, State
from inhouse.store.documents import key_document


class KeyChange(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to change of a key; what is left out stays.

    No `models` allow every model, the empty `team` is none, and null is no limit.
    """

    models: tuple[str, ...] | UnsetType = UNSET
    team: str | UnsetType = UNSET
    requests_per_minute: PerMinute | UnsetType | None = UNSET
    tokens_per_minute: PerMinute | UnsetType | None = UNSET


def created(state: State, key: ApiKey) -> State:
    """Add a key; raises `ConflictError` where the name is taken."""
    if (Kind.KEY, key.name) in state:
        raise ConflictError(
            f"There is a key '{key.name}' already; revoke it first, or take another name.",
            param="name",
        )
    return {**state, (Kind.KEY, key.name): key_document(key, state)}


def changed(state: State, name: str, change: KeyChange) -> State:
    """Change a key; raises `NotFoundError` with the nearest name."""
    before = state.get((Kind.KEY, name))
    if before is None:
        known = [other for kind, other in state if kind is Kind.KEY]
        raise NotFoundError(
            f"There is no key '{name}'{did_you_mean(name, known) or '.'}", param=name
        )
    given: Document = msgspec.to_builtins(change)
    return {**state, (Kind.KEY, name): {**before, **given}}
