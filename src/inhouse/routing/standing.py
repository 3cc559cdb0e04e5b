"""How each deployment stands: its circuit, its queue, its second tries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from inhouse.core.catalog import Deployment
from inhouse.routing.circuit import Circuit
from inhouse.routing.queue import Queue
from inhouse.routing.retries import RetryBudget


class Standing:
    """One deployment as this process sees it."""

    def __init__(
        self,
        deployment: Deployment,
        turned: Callable[[Standing], None],
        crowded: Callable[[str], int],
    ) -> None:
        """Think well of it; what is told whom is as in `Standings`."""
        self.deployment = deployment
        self._crowded = crowded
        self._turned = turned
        self.circuit = self.fresh()
        self.queue = Queue(deployment.name)
        self.retries = RetryBudget()

    def fresh(self) -> Circuit:
        """Return a circuit that knows of no failure."""
        return Circuit(turned=lambda: self._turned(self))

    def make_way(self) -> int:
        """Have those leave who can be spared, since somebody waits; return how many do."""
        return self._crowded(self.deployment.name)

    @property
    def load(self) -> int:
        """Requests that run there or wait for it."""
        return self.queue.running + self.queue.waiting


class Standings:
    """The standing of every deployment that has been asked, by name."""

    def __init__(
        self,
        turned: Callable[[Standing], None] = lambda _: None,
        crowded: Callable[[str], int] = lambda _: 0,
    ) -> None:
        """Know nothing yet; `turned` is told when a deployment's circuit has opened or closed.

        `crowded` is told the name of a deployment where somebody has to wait for a slot, and
        returns how many others leave for that.
        """
        self._turned = turned
        self._crowded = crowded
        self._known: dict[str, Standing] = {}
        self._current: Mapping[str, Deployment] | None = None

    def __getitem__(self, deployment: Deployment) -> Standing:
        """Return how a deployment stands; one that was changed gets a new circuit."""
        if self._current is not None:
            # A request that came before a change must not undo it for the others.
            deployment = self._current.get(deployment.name, deployment)
        known = self._known.get(deployment.name)
        if known is None:
            known = self._known[deployment.name] = Standing(deployment, self._turned, self._crowded)
        elif known.deployment is not deployment:
            if known.deployment != deployment:
                known.circuit = known.fresh()
            known.deployment = deployment
        return known

    def waiting(self, name: str) -> int:
        """Return how many wait for a deployment."""
        standing = self._known.get(name)
        return 0 if standing is None else standing.queue.waiting

    def known(self) -> Iterable[Standing]:
        """Return every standing; one of a deployment that is gone while something runs there."""
        current = self._current
        if current is not None:
            for name, standing in list(self._known.items()):
                if name not in current and not standing.load:
                    del self._known[name]
        return tuple(self._known.values())

    def keep(self, deployments: Mapping[str, Deployment]) -> None:
        """Take deployments as they are now; who waits for a slot that there is now gets it."""
        self._current = deployments
        for standing in self.known():
            deployment = deployments.get(standing.deployment.name)
            if deployment is not None:
                self[deployment].queue.resize(deployment.max_concurrent)
