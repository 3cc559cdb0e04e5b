"""Who holds which API key."""

from __future__ import annotations

from inhouse.core.catalog import ApiKey, Catalog, Team, digest
from inhouse.core.requests import Caller
from inhouse.errors import AuthenticationError


class Callers:
    """The callers of one snapshot of the registry, found by key or by the key's name."""

    def __init__(self, catalog: Catalog) -> None:
        """Take them from the snapshot."""
        self._callers = {found: _caller(catalog, key) for found, key in catalog.keys.items()}
        self._named = {caller.name: caller for caller in self._callers.values()}

    def holding(self, key: str) -> Caller:
        """Return who holds the key; raises `AuthenticationError`."""
        caller = self._callers.get(digest(key))
        if caller is None:
            raise AuthenticationError(
                "Unknown or revoked API key. An administrator makes one with: inhouse keys create"
            )
        return caller

    def named(self, name: str) -> Caller | None:
        """Return who holds the key of that name, None where there is none, or no more."""
        return self._named.get(name)


MARK = 8
"""Digits of a digest: enough to tell keys apart, too few to guess a key by."""


def _caller(catalog: Catalog, key: ApiKey) -> Caller:
    team = catalog.teams.get(key.team) or Team(name=key.team)
    return Caller(
        key.name,
        key.role,
        key.models,
        key.team,
        key.limits,
        team.limits,
        mark=key.digest[:MARK],
    )
