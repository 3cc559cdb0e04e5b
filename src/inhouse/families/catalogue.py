"""The families that inhouse knows, found by name or alias."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from inhouse.errors import NotFoundError
from inhouse.families.family import Family


class Families:
    """All families; a name or an alias leads to one."""

    def __init__(self, families: Iterable[Family]) -> None:
        """Index `families`; their names and aliases differ from each other."""
        self._families = {family.name: family for family in sorted(families, key=_name)}
        self._named = dict(self._families)
        for family in self._families.values():
            self._named.update(dict.fromkeys(family.aliases, family))

    def get(self, name: str) -> Family:
        """Return the family of that name or alias, in upper or lower case.

        Raises:
            NotFoundError: there is none; the message lists the nearest names.

        """
        found = self._named.get(name.lower())
        if found is not None:
            return found
        near = difflib.get_close_matches(name.lower(), self._named, n=3, cutoff=0.5)
        hint = f" The nearest are: {', '.join(near)}." if near else ""
        raise NotFoundError(
            f"There is no model family '{name}'.{hint} 'inhouse families list' shows them all;"
            " 'general' suits any model that answers chat.",
            param="family",
        )

    def names(self) -> tuple[str, ...]:
        """Return the names without the aliases, sorted."""
        return tuple(self._families)

    def __iter__(self) -> Iterator[Family]:
        """Iterate over the families, sorted by name."""
        return iter(self._families.values())

    def __len__(self) -> int:
        """Count the families."""
        return len(self._families)

    def __contains__(self, name: object) -> bool:
        """Tell whether a family has that name or alias."""
        return isinstance(name, str) and name.lower() in self._named


def _name(family: Family) -> str:
    return family.name
