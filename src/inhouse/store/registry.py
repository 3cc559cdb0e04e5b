"""The registry: deployments, teams, routes, keys and settings; every change is a revision."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from inhouse.core.catalog import (
    ApiKey,
    Catalog,
    Declared,
    Deployment,
    Limits,
    Role,
    Route,
    Team,
    digest,
)
from inhouse.core.feature import Feature
from inhouse.core.secret import KEY_PREFIX, Secret
from inhouse.errors import ConflictError, NotFoundError
from inhouse.store import edits, history, keys, opening, rows, rules
from inhouse.store.changes import Change, Kind, Revision, route_name, summary
from inhouse.store.counters import Counters
from inhouse.store.database import Database
from inhouse.store.documents import Documents, route_document, team_document
from inhouse.store.probes import Probes
from inhouse.store.sealing import Seal
from inhouse.store.signing import SigningKeys
from inhouse.store.traces import Traces


class Registry:
    """The registry in its database. Blocking: call it from a thread where an event loop runs.

    Every method raises `StoreError` where the database fails. Those that change something return
    the changes, secrets masked: none where everything is as wanted already, and then there is no
    new revision. They raise `ConflictError` for an entry that ``inhouse.toml`` declares.
    """

    def __init__(self, database: Database, seal: Seal) -> None:
        """Wire an opened store; use `open`."""
        self._database = database
        self._documents = Documents(seal)
        self.traces = Traces(database)
        self.counters = Counters(database)
        self.probes = Probes(database)
        self.signing_keys = SigningKeys(database, seal)

    @classmethod
    def open(cls, url: str, *, secret: Secret | None, key_file: Path) -> Self:
        """Open the store, make or upgrade its tables, and check the key that seals its secrets.

        `secret` goes before the key in `key_file`, which is made where a new store needs one.

        Raises:
            StoreError: no such database, a newer schema, or not the key it was sealed with.

        """
        database = Database(url)
        try:
            return cls(database, opening.prepare(database, secret=secret, key_file=key_file))
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def revision(self) -> int:
        """Return the number of the last revision: cheap, to be polled."""
        with self._database.reading() as connection:
            return history.newest(connection)

    def snapshot(self) -> Catalog:
        """Return the whole registry, with its secrets open."""
        with self._database.reading() as connection:
            state, number = rows.read(connection), history.newest(connection)
        return self._documents.catalog(state, number)

    def put_deployment(self, deployment: Deployment, *, author: str) -> tuple[Change, ...]:
        """Create or replace a deployment; the provider's own check is the caller's business.

        Raises:
            ConfigError: a field is wrong; `param` names it.

        """
        rules.check_deployment(deployment)
        return self._change(edits.put_deployment(self._documents, deployment), author=author)

    def remove_deployment(self, name: str, *, author: str) -> tuple[Change, ...]:
        """Remove a deployment; raises `ConflictError` where a route still uses it."""
        return self._change(edits.remove(Kind.DEPLOYMENT, name), author=author)

    def put_team(self, team: Team, *, author: str) -> tuple[Change, ...]:
        """Create or replace a team; raises `ConfigError`, naming the field that is wrong."""
        rules.check_team(team)
        return self._change(edits.put(Kind.TEAM, team.name, team_document(team)), author=author)

    def remove_team(self, name: str, *, author: str) -> tuple[Change, ...]:
        """Remove a team; raises `ConflictError` where it still has keys or routes."""
        return self._change(edits.remove(Kind.TEAM, name), author=author)

    def set_route(self, route: Route, *, author: str) -> tuple[Change, ...]:
        """Create or replace a route.

        Raises:
            ConfigError: it lists no deployment though it is not disabled, or one twice, or its
                weights do not fit.
            NotFoundError: a deployment or the team does not exist.

        """
        rules.check_route(route)
        name = route_name(route.feature, route.team)
        return self._change(edits.put(Kind.ROUTE, name, route_document(route)), author=author)

    def remove_route(self, feature: Feature, team: str = "", *, author: str) -> tuple[Change, ...]:
        """Remove a route; a sub-feature then inherits its parent's, a team everybody's."""
        return self._change(edits.remove(Kind.ROUTE, route_name(feature, team)), author=author)

    def create_key(
        self,
        name: str,
        role: Role,
        models: tuple[str, ...] = (),
        *,
        author: str,
        team: str = "",
        limits: Limits | None = None,
        key: Secret | None = None,
    ) -> Secret:
        """Create an API key and return it: it is not stored, and shown only here.

        Raises:
            ConfigError: the name is wrong, or the given `key` too short.
            ConflictError: there is a key of that name, or the same key under another.
            NotFoundError: the team does not exist.

        """
        secret = key or Secret(KEY_PREFIX + secrets.token_urlsafe(32))
        rules.check_secret(secret)
        new = ApiKey(
            name=name,
            role=role,
            digest=digest(secret.reveal()),
            models=models,
            team=team,
            limits=limits or Limits(),
        )
        rules.check_key(new)
        self._change(lambda state: keys.created(state, new), author=author)
        return secret

    def change_key(self, name: str, change: keys.KeyChange, *, author: str) -> tuple[Change, ...]:
        """Change what a key may do, and its team.

        Raises:
            ConfigError: a value is wrong; `param` names its field.
            NotFoundError: the key or team does not exist.

        """
        rules.check_key_change(change)
        return self._change(lambda state: keys.changed(state, name, change), author=author)

    def revoke_key(self, name: str, *, author: str) -> tuple[Change, ...]:
        """Remove an API key."""
        return self._change(edits.remove(Kind.KEY, name), author=author)

    def change_settings(self, values: Mapping[str, Any], *, author: str) -> tuple[Change, ...]:
        """Set settings by name; None gives a setting its default back.

        Raises:
            NotFoundError: there is no such setting.
            ConfigError: the value is of the wrong type or out of its range.

        """
        rules.check_settings(values)
        return self._change(edits.settings(values), author=author)

    def plan(
        self, declared: Declared, *, as_declared: bool = True, prune: bool = False
    ) -> tuple[Change, ...]:
        """Return what `apply` would change; raises what it would raise."""
        edit = self._applied(declared, as_declared=as_declared, prune=prune)
        with self._database.reading() as connection:
            changes = edits.checked(rows.read(connection), edit, declare=as_declared)
        return tuple(change.shown() for change in changes)

    def apply(
        self, declared: Declared, *, author: str, as_declared: bool = True, prune: bool = False
    ) -> tuple[Change, ...]:
        """Bring the registry to what a file lists, as one revision.

        As declared, the entries take the place of all that were declared before, and are read-only
        elsewhere. Otherwise they are created or updated like by hand; `prune` also removes the
        others of each kind that the file lists at all, except declared ones.

        Raises:
            ConfigError: an entry cannot be stored as written.
            ConflictError: a deployment or team would go that is in use outside the file.
            NotFoundError: a route or key names a deployment or team that does not exist.

        """
        edit = self._applied(declared, as_declared=as_declared, prune=prune)
        return self._change(edit, author=author, declare=as_declared)

    def revisions(self, limit: int = 50, *, before: int | None = None) -> tuple[Revision, ...]:
        """Return revisions, the newest first, those below the number `before` where given."""
        with self._database.reading() as connection:
            return history.listed(connection, limit=limit, before=before)

    def show(self, number: int) -> Revision:
        """Return one revision; its `lines` are the diff. Raises `NotFoundError`."""
        with self._database.reading() as connection:
            return history.one(connection, number)

    def rollback(self, number: int, *, author: str) -> tuple[Change, ...]:
        """Bring everything that is not declared back to what it was after revision `number`.

        That is a new revision; 0 is the empty registry. Declared entries, API keys and the keys'
        teams stay: a revoked key must not come back to life.

        Raises:
            NotFoundError: there is no such revision.
            ConflictError: a route of then needs what was declared then and is gone.

        """
        with self._database.changing() as connection:
            before = rows.read(connection)
            then = history.state_at(connection, number, before)
            try:
                changes = edits.checked(before, edits.restore(then), declare=True)
            except (ConflictError, NotFoundError) as error:
                raise ConflictError(f"Revision {number} cannot be restored: {error}") from error
            if changes:
                text = f"roll back to revision {number}: {summary(changes)}"
                rows.write(connection, changes)
                history.append(connection, changes, author=author, summary=text)
        return tuple(change.shown() for change in changes)

    def _applied(self, declared: Declared, *, as_declared: bool, prune: bool) -> edits.Edit:
        rules.check_listed(declared)
        if as_declared:
            return edits.declare(self._documents, declared)
        return edits.enter(self._documents, declared, prune=prune)

    def _change(
        self, edit: edits.Edit, *, author: str, declare: bool = False
    ) -> tuple[Change, ...]:
        with self._database.changing() as connection:
            changes = edits.checked(rows.read(connection), edit, declare=declare)
            if changes:
                rows.write(connection, changes)
                history.append(connection, changes, author=author, summary=summary(changes))
        return tuple(change.shown() for change in changes)
