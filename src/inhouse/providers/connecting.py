"""How a deployment's upstream is reached: what every provider over HTTP has in common."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta, Struct, field
from msgspec.inspect import EnumType, LiteralType, Metadata, StructType, UnionType, type_info

from inhouse import __version__
from inhouse.core.catalog import Deployment
from inhouse.core.naming import did_you_mean
from inhouse.core.ports import Place, ProviderContext
from inhouse.core.requests import Params
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.transport import (
    MAX_CONNECTIONS,
    Proxy,
    Response,
    Tls,
    Transport,
    header_block,
    nameable,
    parse_proxy,
    proxy_for,
    split,
    unservable,
)

LARGEST_ANSWER = 64 * 1024 * 1024
LARGEST_REFUSAL = 1024 * 1024
"""Bytes that are read of an answer in one piece, and of one that is none."""


class HttpOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[deployments.options]`` may hold for every provider over HTTP; paths are of PEM files.

    `headers` go along with every request, and are no place for secrets. `proxy` overrides the
    environment's, an empty one means none. `window` is read by whoever budgets prompts.
    """

    ca_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    window: Annotated[int, Meta(ge=1)] | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    proxy: str | None = None
    max_connections: Annotated[int, Meta(ge=1, le=65536)] = MAX_CONNECTIONS


Options = TypeVar("Options", bound=HttpOptions)


def read_options(deployment: Deployment, kind: type[Options]) -> Options:
    """Return a deployment's options; raises `ConfigError`, which names the field."""
    try:
        return msgspec.convert(deployment.options, kind)
    except msgspec.ValidationError as error:
        names = kind.__struct_fields__
        for each in deployment.options:
            if each not in names:
                what = f"there is no such option{did_you_mean(each, names)}"
                raise fault(deployment, f"options.{each}", what) from None
        what, _, path = str(error).partition(" - at `$")
        name = path.rstrip("`").removeprefix(".")
        raise fault(deployment, f"options.{name}", _takes(kind, name) or what) from None


def _takes(kind: type[Struct], name: str) -> str:
    """Say which values an option takes, where these are few or of a kind that examples show."""
    types = {each.name: each.type for each in cast("StructType", type_info(kind)).fields}
    found = types.get(name)
    for each in found.types if isinstance(found, UnionType) else (found,):
        if isinstance(each, EnumType):
            return f"it takes {', '.join(map(str, each.cls))}"
        if isinstance(each, LiteralType):
            return f"it takes {', '.join(map(str, each.values))}"
        if isinstance(each, Metadata):
            shown = cast("dict[str, list[str]]", cast("Any", each).extra_json_schema or {})
            return f"write it as in {', '.join(shown['examples'])}" if "examples" in shown else ""
    return ""


def fault(deployment: Deployment, name: str, what: str) -> ConfigError:
    """Return the error for the field `name` of a deployment."""
    end = "" if what.endswith("?") else "."
    return ConfigError(f"The deployment '{deployment.name}': {name}: {what}{end}", param=name)


@contextlib.contextmanager
def blaming(deployment: Deployment) -> Generator[None]:
    """Note in each `UpstreamError` of the block whose upstream it was."""
    try:
        yield
    except UpstreamError as error:
        error.deployment = deployment.name
        raise


class Connecting:
    """Constants of every request to one deployment's upstream, from its address and options.

    `place` is ``host:port``, as messages name it. `secrets` must not be quoted from its answers.
    """

    def __init__(
        self,
        deployment: Deployment,
        options: HttpOptions,
        context: ProviderContext,
        base: str,
        field: str = "endpoint",
    ) -> None:
        """`base` is a URL on the upstream's host; raises `ConfigError`, which names the field.

        `field` is what is blamed where nobody is there; if it is empty, the caller knows better.
        """
        self._deployment = deployment
        self._field = field
        try:
            scheme, host, port, _ = split(base)
        except ValueError as error:
            raise fault(deployment, "endpoint", str(error)) from None
        if field and (kind := unservable(host)):
            # Whoever may register a deployment must not read a cloud's credentials by it.
            raise fault(deployment, field, f"{host} is {kind}; no model is served there")
        self.place = f"{host}:{port}"
        self.tls = Tls(
            ca_file=options.ca_file,
            client_cert_file=options.client_cert_file,
            client_key_file=options.client_key_file,
        )
        self.proxy = _proxy(deployment, options, context, (scheme, host, port))
        self.endpoints = _endpoints((host.lower(), port), self.proxy)
        self.secrets = [deployment.api_key.reveal(), *options.headers.values()]
        self._max_connections = options.max_connections
        self._headers = _headers(deployment, options)

    def check(self) -> None:
        """Raise `ConfigError` where a certificate cannot be used; reads files."""
        # Reading the system's authorities takes 20 ms, and is no fault of the deployment's.
        if self.tls == Tls():
            return
        if (found := self.tls.fault()) is not None:
            name, _, what = found.partition(": ")
            raise fault(self._deployment, f"options.{name}", what)

    def secret_header(self, name: str, value: str) -> bytes:
        """Return a header field with the deployment's key; raises `ConfigError` where it cannot."""
        try:
            return header_block({name: value})
        except (ValueError, UnicodeEncodeError):
            raise fault(
                self._deployment,
                "api_key",
                "it has a character that HTTP forbids; was it copied whole?",
            ) from None

    async def request(
        self,
        transport: Transport,
        method: str,
        url: str,
        *,
        headers: bytes = b"",
        body: bytes = b"",
        params: Params,
    ) -> Response:
        """Send a request with the constant headers and `headers`; raises `UpstreamError`."""
        fields = self._headers + headers
        request_id = params.request_id
        if request_id and request_id.isascii() and request_id.isprintable():
            fields += b"x-request-id: %b\r\n" % request_id.encode()
        deadlines = params.deadlines
        if params.whole:
            # Of an answer in one piece the first byte comes when the last token is there.
            deadlines = msgspec.structs.replace(deadlines, first_token=deadlines.total)
        try:
            return await transport.request(
                method,
                url,
                fields,
                body,
                tls=self.tls,
                proxy=self.proxy,
                deadlines=deadlines,
                max_connections=self._max_connections,
            )
        except UpstreamError as error:
            if error.failure is UpstreamFailure.UNREACHABLE and error.param is None:
                error.param = self._field or None
            raise


def _proxy(
    deployment: Deployment,
    options: HttpOptions,
    context: ProviderContext,
    address: tuple[str, str, int],
) -> Proxy | None:
    try:
        if options.proxy is not None:
            return parse_proxy(options.proxy) if options.proxy else None
        return proxy_for(*address, context.proxies)
    except ValueError as error:
        where = "options.proxy" if options.proxy is not None else "the environment's proxy"
        raise fault(deployment, where, str(error)) from None


def _endpoints(place: Place, proxy: Proxy | None) -> frozenset[Place]:
    # Whoever has a model at a link-local address, on a cable between two machines say, lists it as
    # a peer in the file.
    served = {place} if nameable(place[0]) else set[Place]()
    return frozenset(served | ({(proxy.host, proxy.port)} if proxy is not None else set[Place]()))


def _headers(deployment: Deployment, options: HttpOptions) -> bytes:
    headers: Mapping[str, str] = {
        "accept": "text/event-stream, application/json",
        "content-type": "application/json",
        "user-agent": f"inhouse/{__version__}",
        **{name.lower(): value for name, value in options.headers.items()},
    }
    try:
        return header_block(headers)
    except ValueError as error:
        raise fault(deployment, "options.headers", str(error)) from None
