"""A deployment as its provider knows it: its address settled, its habits learned."""

from __future__ import annotations

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.providers.connecting import Connecting, HttpOptions, fault, read_options
from inhouse.providers.openai_compatible.address import alternative, heal
from inhouse.wire.openai.outbound import DEFAULT_HABITS


class Options(HttpOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[deployments.options]`` may hold for ``custom_openai``.

    `whole_answers` claims that the upstream stops when a caller hangs up who waits for an answer
    that is not streamed; such answers are then asked for in one piece, which costs less. Unsaid, it
    is taken for true of vLLM, and of no other.
    """

    whole_answers: bool | None = None


class Upstream:
    """What we know of one deployment's upstream, and what it has taught us."""

    def __init__(self, deployment: Deployment, context: ProviderContext) -> None:
        """Read `deployment`; raises ConfigError, which names the field."""
        self.deployment = deployment
        options = read_options(deployment, Options)
        self.base, remark = heal(deployment.endpoint)
        self.alternative = alternative(self.base)
        self.remarks = [] if remark is None else [remark]
        self.habits = DEFAULT_HABITS
        self.names: tuple[str, ...] = ()
        """The models that the upstream listed last."""
        self.counts_tokens = True
        self.whole_answers = options.whole_answers
        if not self.base:
            raise fault(deployment, "endpoint", "it is missing; write it as http://HOST:PORT/v1")
        self.connecting = Connecting(deployment, options, context, self.base)
        self.place = self.connecting.place
        key = deployment.api_key
        self.authorization = (
            self.connecting.secret_header("authorization", f"Bearer {key.reveal()}") if key else b""
        )

    def settle(self, base: str) -> None:
        """The upstream has answered at `base`: look nowhere else from now on."""
        if base != self.base:
            written = self.deployment.endpoint.strip().rstrip("/")
            self.remarks = [] if base == written else [f"The endpoint should be {base}"]
            self.base = base
        self.alternative = ""
