"""What a revision holds: entries before and after."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from inhouse.core.catalog import Limits
from inhouse.core.feature import Feature

ABSENT = "(none)"
SET = "(set)"
CHANGED = "(changed)"
LONGEST_SUMMARY = 3
"""Changes that a summary names one by one."""


class Kind(StrEnum):
    """The kinds of entries in the registry."""

    DEPLOYMENT = "deployment"
    TEAM = "team"
    ROUTE = "route"
    KEY = "key"
    SETTING = "setting"


SECRETS = {Kind.DEPLOYMENT: "api_key", Kind.KEY: "digest"}
"""The field of an entry that nobody is shown, by kind."""

BOOKKEEPING = frozenset({"created_at"})
"""Fields that follow from the change itself, and tell people nothing."""

Document = dict[str, Any]
"""One entry as plain JSON, its secret sealed or hashed; without its name."""

State = dict[tuple[Kind, str], Document]
"""The whole registry, by kind and name."""


def route_name(feature: Feature | str, team: str = "") -> str:
    """Return what a route is called: ``completion``, or ``completion@payments`` of a team."""
    return f"{feature}@{team}" if team else f"{feature}"


def route_parts(name: str) -> tuple[str, str]:
    """Return feature and team of a route by its name; no feature holds an ``@``, teams may."""
    feature, _, team = name.partition("@")
    return feature, team


def limits_document(limits: Limits) -> Document:
    """Return limits as fields of an entry."""
    return msgspec.structs.asdict(limits)


class Change(Struct, frozen=True, kw_only=True):
    """One entry that a revision created (no `before`), updated, or removed (no `after`)."""

    kind: Kind
    name: str
    before: Document | None = None
    after: Document | None = None

    @property
    def action(self) -> str:
        """``create``, ``update`` or ``remove``."""
        if self.before is None:
            return "create"
        return "update" if self.after is not None else "remove"

    @property
    def title(self) -> str:
        """Action, kind and name: ``create deployment 'codestral'``."""
        return f"{self.action} {self.kind} '{self.name}'"

    def lines(self) -> list[str]:
        """Return the change as a diff for people: the title, and a line a field."""
        before, after = self.before or {}, self.after or {}
        lines = [self.title]
        for name in sorted((before.keys() | after.keys()) - BOOKKEEPING):
            old, new = before.get(name, ABSENT), after.get(name, ABSENT)
            if self.before is None and new:
                lines.append(f"  + {name}: {_written(new)}")
            elif self.after is None and old:
                lines.append(f"  - {name}: {_written(old)}")
            elif self.before and self.after and old != new:
                lines.append(f"  ~ {name}: {_written(old)} -> {_written(new)}")
        return lines

    def shown(self) -> Change:
        """Return the change fit for every eye: secrets only say whether they are set or changed."""
        field = SECRETS.get(self.kind)
        if field is None:
            return self
        before, after = _masked(self.before, field), _masked(self.after, field)
        if self.before and self.after and after and self.after[field]:
            changed = self.before[field] != self.after[field]
            after[field] = CHANGED if changed and self.before[field] else SET
        return Change(kind=self.kind, name=self.name, before=before, after=after)


class Revision(Struct, frozen=True, kw_only=True):
    """One numbered change of the registry; `at` is a Unix time in seconds."""

    number: int
    at: float
    author: str
    summary: str
    changes: tuple[Change, ...] = ()

    def lines(self) -> list[str]:
        """Return the revision's diff for people."""
        return [line for change in self.changes for line in change.lines()]


def difference(before: State, after: State) -> tuple[Change, ...]:
    """Return what leads from one state to the other, in a fixed order."""
    order = list(Kind)
    keys = sorted(before.keys() | after.keys(), key=lambda key: (order.index(key[0]), key[1]))
    return tuple(
        Change(kind=kind, name=name, before=before.get((kind, name)), after=after.get((kind, name)))
        for kind, name in keys
        if before.get((kind, name)) != after.get((kind, name))
    )


def undone(state: State, changes: Iterable[Change]) -> State:
    """Return the state before the changes that led to `state`."""
    earlier = dict(state)
    for change in changes:
        if change.before is None:
            earlier.pop((change.kind, change.name), None)
        else:
            earlier[change.kind, change.name] = change.before
    return earlier


def summary(changes: tuple[Change, ...]) -> str:
    """Return one line: what changed, or how much where it is much."""
    if len(changes) <= LONGEST_SUMMARY:
        return ", ".join(change.title for change in changes)
    actions = [change.action for change in changes]
    counts = [(word, actions.count(word)) for word in ("create", "update", "remove")]
    return ", ".join(f"{word} {count}" for word, count in counts if count) + " entries"


def _written(value: object) -> str:
    """Return a value as people write it in a configuration: a text bare, all else as JSON."""
    if value is None:
        return ABSENT
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _masked(document: Document | None, field: str) -> Document | None:
    return document and {**document, field: SET if document[field] else ABSENT}
