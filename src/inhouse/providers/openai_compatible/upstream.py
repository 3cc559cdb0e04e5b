"""A deployment as its provider knows it: its address settled, its habits learned."""

from __future__ import annotations

from inhouse.core.catalog import Deployment
from inhouse.providers.openai_compatible.learning import STOP
from inhouse.providers.openai_compatible.site import Routes, Site


class Upstream:
    """What we know of one deployment's upstream, and what it has taught us.

    `names` are those that may stand in the identifier, as the upstream listed them last. `settled`
    tells whether it has answered at `routes`; `others` are where else it may listen.
    """

    def __init__(self, deployment: Deployment, site: Site) -> None:
        """Know what the platform knows."""
        self.deployment = deployment
        self.site = site
        self.connecting = site.connecting
        self.place = site.connecting.place
        self.routes, *others = site.routes
        self.others: tuple[Routes, ...] = tuple(others)
        self.settled = False
        self.habits = site.habits
        self.names: tuple[str, ...] = ()
        self.counts_tokens = site.counts_tokens
        self.messages_only = False
        """Whether the upstream has shown that it takes no text."""
        self.sought_chat = False

    @property
    def base(self) -> str:
        """What messages call the upstream's address."""
        return self.routes.base

    @property
    def takes_text(self) -> bool:
        """Whether the model takes rendered text: as the options say, else as far as is known."""
        said = self.site.options.takes_text
        return said if said is not None else self.site.takes_text and not self.messages_only

    @property
    def ends_by_itself(self) -> bool:
        """Whether stop sequences are ours to watch, since the upstream takes none."""
        return STOP in self.habits.left_out

    @property
    def secrets(self) -> list[str]:
        """What must not be quoted from the upstream's answers."""
        return self.connecting.secrets + self.site.authorization.secrets

    def settle(self, routes: Routes) -> None:
        """The upstream has answered at these routes: look nowhere else from now on."""
        self.routes = routes
        self.others = ()
        self.settled = True
