"""Between a state of the registry and its tables."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table, delete, insert, select

from inhouse.store.changes import Change, Document, Kind, State
from inhouse.store.database import record
from inhouse.store.tables import api_keys, deployments, route_deployments, routes, settings

TABLES: dict[Kind, Table] = {
    Kind.DEPLOYMENT: deployments,
    Kind.ROUTE: routes,
    Kind.KEY: api_keys,
    Kind.SETTING: settings,
}
"""The first column of each is the entry's name; the others are its document's fields."""


def read(connection: Connection) -> State:
    """Return the whole registry."""
    state: State = {}
    for kind, table in TABLES.items():
        for row in connection.execute(select(table)).mappings():
            document = record(row)
            if kind is Kind.ROUTE:
                document["deployments"] = []
            state[kind, document.pop(table.columns[0].name)] = document
    for feature, _position, deployment in connection.execute(
        select(route_deployments).order_by(
            route_deployments.c.feature, route_deployments.c.position
        )
    ):
        state[Kind.ROUTE, feature]["deployments"].append(deployment)
    return state


def write(connection: Connection, changes: Iterable[Change]) -> None:
    """Carry out the changes: everything out first, then in, so that names and keys may swap."""
    for change in changes:
        if change.kind is Kind.ROUTE:
            links = route_deployments
            connection.execute(delete(links).where(links.c.feature == change.name))
        table = TABLES[change.kind]
        connection.execute(delete(table).where(table.columns[0] == change.name))
    for change in changes:
        if change.after is not None:
            _insert(connection, change, dict(change.after))


def _insert(connection: Connection, change: Change, document: Document) -> None:
    table = TABLES[change.kind]
    served: list[str] = document.pop("deployments") if change.kind is Kind.ROUTE else []
    connection.execute(insert(table), {table.columns[0].name: change.name, **document})
    if served:
        links = [
            {"feature": change.name, "position": position, "deployment": name}
            for position, name in enumerate(served)
        ]
        connection.execute(insert(route_deployments), links)
