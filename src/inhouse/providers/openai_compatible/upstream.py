"""A deployment as its provider knows it: its options read, its address settled, its habits."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from inhouse import __version__
from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.errors import ConfigError
from inhouse.providers.openai_compatible.address import alternative, heal
from inhouse.transport import (
    MAX_CONNECTIONS,
    Proxy,
    Tls,
    header_block,
    parse_proxy,
    proxy_for,
    split,
)
from inhouse.wire.openai.outbound import DEFAULT_HABITS


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[deployments.options]`` may hold for ``custom_openai``; paths are of PEM files.

    `headers` go along with every request, and are no place for secrets. `proxy` overrides the
    environment's, an empty one means none. `window` is read by whoever budgets prompts.
    `whole_answers` claims that the upstream stops when a caller hangs up who waits for an answer
    that is not streamed; such answers are then asked for in one piece, which costs less. Unsaid, it
    is taken for true of vLLM, and of no other.
    """

    ca_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    window: Annotated[int, Meta(ge=1)] | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    proxy: str | None = None
    max_connections: Annotated[int, Meta(ge=1, le=65536)] = MAX_CONNECTIONS
    whole_answers: bool | None = None


class Upstream:
    """Constants of every request to one deployment, and what its upstream has taught us."""

    def __init__(self, deployment: Deployment, context: ProviderContext) -> None:
        """Read `deployment`; raises ConfigError, which names the field."""
        self.deployment = deployment
        options = _options(deployment)
        self.base, remark = heal(deployment.endpoint)
        self.alternative = alternative(self.base)
        self.remarks = [] if remark is None else [remark]
        self.max_connections = options.max_connections
        self.habits = DEFAULT_HABITS
        self.names: tuple[str, ...] = ()
        """The models that the upstream listed last."""
        self.counts_tokens = True
        self.whole_answers = options.whole_answers
        if not self.base:
            raise _fault(deployment, "endpoint", "it is missing; write it as http://HOST:PORT/v1")
        try:
            scheme, host, port, _ = split(self.base)
        except ValueError as error:
            raise _fault(deployment, "endpoint", str(error)) from None
        self.place = f"{host}:{port}"
        self.tls = Tls(
            ca_file=options.ca_file,
            client_cert_file=options.client_cert_file,
            client_key_file=options.client_key_file,
        )
        self.proxy = _proxy(deployment, options, context, (scheme, host, port))
        self.headers = _headers(deployment, options)
        self.secrets = [deployment.api_key.reveal(), *options.headers.values()]

    def settle(self, base: str) -> None:
        """The upstream has answered at `base`: look nowhere else from now on."""
        if base != self.base:
            written = self.deployment.endpoint.strip().rstrip("/")
            self.remarks = [] if base == written else [f"The endpoint should be {base}"]
            self.base = base
        self.alternative = ""

    def check(self) -> None:
        """Raise ConfigError where a certificate cannot be used; reads files."""
        # Reading the system's authorities takes 20 ms, and is no fault of the deployment's.
        if self.tls == Tls():
            return
        if (fault := self.tls.fault()) is not None:
            name, _, what = fault.partition(": ")
            raise _fault(self.deployment, f"options.{name}", what)


def _options(deployment: Deployment) -> Options:
    try:
        return msgspec.convert(deployment.options, Options)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise _fault(deployment, f"options{path.rstrip('`')}", what) from None


def _proxy(
    deployment: Deployment,
    options: Options,
    context: ProviderContext,
    address: tuple[str, str, int],
) -> Proxy | None:
    try:
        if options.proxy is not None:
            return parse_proxy(options.proxy) if options.proxy else None
        return proxy_for(*address, context.proxies)
    except ValueError as error:
        where = "options.proxy" if options.proxy is not None else "the environment's proxy"
        raise _fault(deployment, where, str(error)) from None


def _headers(deployment: Deployment, options: Options) -> bytes:
    headers = {
        "accept": "text/event-stream, application/json",
        "content-type": "application/json",
        "user-agent": f"inhouse/{__version__}",
    }
    headers |= {name.lower(): value for name, value in options.headers.items()}
    try:
        block = header_block(headers)
    except ValueError as error:
        raise _fault(deployment, "options.headers", str(error)) from None
    if not deployment.api_key:
        return block
    try:
        return block + header_block({"authorization": f"Bearer {deployment.api_key.reveal()}"})
    except (ValueError, UnicodeEncodeError):
        raise _fault(
            deployment, "api_key", "it has a character that HTTP forbids; was it copied whole?"
        ) from None


def _fault(deployment: Deployment, name: str, what: str) -> ConfigError:
    return ConfigError(f"The deployment '{deployment.name}': {name}: {what}.", param=name)
