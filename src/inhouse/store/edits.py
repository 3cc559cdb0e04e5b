"""The ways to change the registry, each from a state to the wanted one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inhouse.core.catalog import Declared, Deployment
from inhouse.core.naming import did_you_mean
from inhouse.errors import NotFoundError
from inhouse.store import rules, ties
from inhouse.store.changes import Change, Document, Kind, State, difference
from inhouse.store.documents import Documents, setting_document

Edit = Callable[[State], State]
"""From the present state to the wanted one."""


def checked(before: State, edit: Edit, *, declare: bool = False) -> tuple[Change, ...]:
    """Return what `edit` changes; only where it may `declare`, declared entries too.

    Raises:
        ConflictError: it would change a declared entry, or remove one that others need.
        NotFoundError: a route or key names a deployment or team that does not exist.

    """
    after = edit(before)
    changes = difference(before, after)
    if not declare:
        rules.check_undeclared(changes)
    ties.check(before, after)
    return changes


def put(kind: Kind, name: str, document: Document) -> Edit:
    """Create or replace an entry."""
    return lambda state: {**state, (kind, name): document}


def put_deployment(documents: Documents, deployment: Deployment) -> Edit:
    """Create or replace a deployment; an unchanged secret is not sealed again."""
    key = Kind.DEPLOYMENT, deployment.name
    return lambda state: {**state, key: documents.deployment(deployment, state)}


def remove(kind: Kind, name: str) -> Edit:
    """Remove an entry; raises `NotFoundError` with the nearest name."""

    def edit(state: State) -> State:
        if (kind, name) not in state:
            known = [other for each, other in state if each is kind]
            raise NotFoundError(
                f"There is no {kind} '{name}'{did_you_mean(name, known) or '.'}", param=name
            )
        return {key: document for key, document in state.items() if key != (kind, name)}

    return edit


def settings(values: Mapping[str, Any]) -> Edit:
    """Set settings; None resets one to its default."""

    def edit(state: State) -> State:
        after = dict(state)
        for name, value in values.items():
            if value is None:
                after.pop((Kind.SETTING, name), None)
            else:
                after[Kind.SETTING, name] = setting_document(value)
        return after

    return edit


def declare(documents: Documents, declared: Declared) -> Edit:
    """Put what a file declares in the place of all that was declared before."""

    def edit(state: State) -> State:
        return undeclared(state) | documents.listed(declared, state, as_declared=True)

    return edit


def enter(documents: Documents, listed: Declared, *, prune: bool) -> Edit:
    """Create and update what a file lists; `prune` removes the others of the kinds it lists."""

    def edit(state: State) -> State:
        wanted = documents.listed(listed, state, as_declared=False)
        kinds = {kind for kind, _ in wanted} if prune else set[Kind]()
        after = {
            key: document
            for key, document in state.items()
            if document["declared"] or key[0] not in kinds
        }
        for key, document in wanted.items():
            present = state.get(key)
            # An entry that is declared just so is as wanted.
            same = present is not None and {**present, "declared": False} == document
            after[key] = present if same and present is not None else document
        return after

    return edit


def restore(then: State) -> Edit:
    """Bring back all that was not declared in an earlier state; what is declared now stays.

    So do API keys: one that was revoked must stay dead, and one that was handed out alive. A team
    that they belong to stays too.
    """

    def edit(state: State) -> State:
        past = {
            key: document for key, document in undeclared(then).items() if key[0] is not Kind.KEY
        }
        kept = {
            key: document
            for key, document in state.items()
            if document["declared"] or key[0] is Kind.KEY
        }
        needed = {(Kind.TEAM, each["team"]) for each in kept.values() if each.get("team")}
        teams = {key: state[key] for key in needed if key in state}
        return teams | past | kept

    return edit


def undeclared(state: State) -> State:
    """Return the entries that no file declares."""
    return {key: document for key, document in state.items() if not document["declared"]}
