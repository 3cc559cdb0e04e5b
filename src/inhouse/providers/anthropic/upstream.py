"""A deployment as its provider knows it: its address settled, its habits learned."""

from __future__ import annotations

from urllib.parse import urlsplit

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.providers.anthropic.address import DEFAULT, heal
from inhouse.providers.connecting import Connecting, HttpOptions, fault, read_options
from inhouse.transport import header_block
from inhouse.wire.anthropic.outbound import DEFAULT_HABITS, Habits

VERSION = "2023-06-01"
"""Of the API: https://docs.anthropic.com/en/api/versioning."""


class Options(HttpOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[deployments.options]`` may hold for ``anthropic``.

    `bearer` sends the key as gateways in between want it.
    """

    bearer: bool = False


class Upstream:
    """What we know of one deployment's upstream, and what it has taught us."""

    def __init__(self, deployment: Deployment, context: ProviderContext) -> None:
        """Read `deployment`; raises ConfigError, which names the field."""
        self.deployment = deployment
        options = read_options(deployment, Options)
        root, remark = heal(deployment.endpoint)
        self.base = f"{root}/v1"
        self.alternative = root
        """Where a gateway may have the routes instead; empty once the upstream has answered."""
        self.remarks = [] if remark is None else [remark]
        self.habits: Habits = DEFAULT_HABITS
        self.names: tuple[str, ...] = ()
        """The models that the upstream listed last."""
        self.counts_tokens = True
        self.connecting = Connecting(deployment, options, context, root)
        self.place = self.connecting.place
        key = deployment.api_key.reveal()
        self.bearer = options.bearer
        name, value = ("authorization", f"Bearer {key}") if self.bearer else ("x-api-key", key)
        self.headers = self.connecting.secret_header(name, value) if key else b""
        if "anthropic-version" not in {name.lower() for name in options.headers}:
            self.headers += header_block({"anthropic-version": VERSION})

    def check(self) -> None:
        """Raise ConfigError where no request can succeed; reads files."""
        self.connecting.check()
        at_home = urlsplit(self.base).hostname == urlsplit(DEFAULT).hostname
        if at_home and not self.deployment.api_key:
            raise fault(
                self.deployment,
                "api_key",
                "it is missing, and Anthropic wants one; write it as env:NAME or file:PATH",
            )

    def settle(self, base: str) -> None:
        """The upstream has answered at `base`: look nowhere else from now on."""
        self.base, self.alternative = base, ""
