"""What a provider has made of each deployment, and learned of it, as long as it stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from inhouse.core.catalog import Deployment

Made = TypeVar("Made")


KEPT = 1024
"""Deployments at most; what was made first goes first. Requests may name ever new ones."""


class Known(Generic[Made]):
    """One object a deployment, made when it is first asked for and anew when it has changed."""

    def __init__(self, make: Callable[[Deployment], Made]) -> None:
        """Make nothing yet; `make` may raise."""
        self._make = make
        self._made: dict[str, tuple[Deployment, Made]] = {}

    def __getitem__(self, deployment: Deployment) -> Made:
        """Return what was made of a deployment; raises what `make` raises."""
        known = self._made.get(deployment.name)
        # Mostly the very same: equality looks at every option.
        if known is not None and (known[0] is deployment or known[0] == deployment):
            return known[1]
        self._made.pop(deployment.name, None)
        made = self._make(deployment)
        if len(self._made) >= KEPT:
            del self._made[next(iter(self._made))]
        self._made[deployment.name] = (deployment, made)
        return made

    def values(self) -> list[Made]:
        """Return all that was made and still holds."""
        return [made for _, made in self._made.values()]
