"""Between a state of the registry and its tables."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table, and_, delete, insert, select

from inhouse.store.changes import Change, Document, Kind, State, route_name, route_parts
from inhouse.store.database import record
from inhouse.store.tables import (
    api_keys,
    deployments,
    probes,
    route_deployments,
    routes,
    settings,
    teams,
)

TABLES: dict[Kind, Table] = {
    Kind.DEPLOYMENT: deployments,
    Kind.TEAM: teams,
    Kind.ROUTE: routes,
    Kind.KEY: api_keys,
    Kind.SETTING: settings,
}
"""The column `name` is the entry's name, but of a route; the others are its document's fields."""


def read(connection: Connection) -> State:
    """Return the whole registry."""
    state: State = {}
    for kind, table in TABLES.items():
        for row in connection.execute(select(table)).mappings():
            document = record(row)
            if kind is Kind.ROUTE:
                name = route_name(document.pop("feature"), document.pop("team"))
                document |= {"deployments": [], "weights": []}
            else:
                name = document.pop("name")
            state[kind, name] = document
    links = route_deployments.c
    for feature, team, deployment, weight in connection.execute(
        select(links.feature, links.team, links.deployment, links.weight).order_by(links.position)
    ):
        route = state[Kind.ROUTE, route_name(feature, team)]
        route["deployments"].append(deployment)
        if weight is not None:
            route["weights"].append(weight)
    return state


def write(connection: Connection, changes: Iterable[Change]) -> None:
    """Carry out the changes: everything out first, then in, so that names and keys may swap."""
    for change in changes:
        if change.kind is Kind.ROUTE:
            _delete(connection, route_deployments, change)
        _delete(connection, TABLES[change.kind], change)
        if change.kind is Kind.DEPLOYMENT and change.after is None:
            connection.execute(delete(probes).where(probes.c.deployment == change.name))
    for change in changes:
        if change.after is not None:
            _insert(connection, change, dict(change.after))


def _delete(connection: Connection, table: Table, change: Change) -> None:
    same = [table.c[column] == value for column, value in _key(change).items()]
    connection.execute(delete(table).where(and_(*same)))


def _insert(connection: Connection, change: Change, document: Document) -> None:
    if change.kind is not Kind.ROUTE:
        connection.execute(insert(TABLES[change.kind]), {**_key(change), **document})
        return
    served: list[str] = document.pop("deployments")
    weights: list[int | None] = document.pop("weights") or [None] * len(served)
    connection.execute(insert(routes), {**_key(change), **document})
    links = [
        {**_key(change), "position": position, "deployment": name, "weight": weight}
        for position, (name, weight) in enumerate(zip(served, weights, strict=True))
    ]
    if links:
        connection.execute(insert(route_deployments), links)


def _key(change: Change) -> dict[str, str]:
    """Return the columns that tell the entry from others of its table."""
    if change.kind is not Kind.ROUTE:
        return {"name": change.name}
    feature, team = route_parts(change.name)
    return {"feature": feature, "team": team}
