"""A GitLab's keys as it publishes them: OpenID Connect Discovery 1.0, below its own path."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from msgspec import Struct

from inhouse import __version__
from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import Place
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.identity.keys import Keys, read_key_set
from inhouse.transport import Tls, Transport, header_block, proxy_for, split

WELL_KNOWN = "/.well-known/openid-configuration"
LARGEST = 256 * 1024
"""Bytes of a document."""
_DEADLINES = Deadlines(connect=5, first_token=10, between_tokens=10, total=10)
_HEADERS = header_block({"accept": "application/json", "user-agent": f"inhouse/{__version__}"})


class Discovered(Struct, frozen=True):
    """What a GitLab says of itself: the name in its tokens, and the keys that sign them."""

    issuer: str
    keys: Keys


class _Configuration(Struct):
    issuer: str
    jwks_uri: str


class Discovery:
    """Asks GitLabs, through the proxies of the environment; `peers` may hold keys of others."""

    def __init__(
        self, transport: Transport, proxies: Mapping[str, str], peers: Collection[Place]
    ) -> None:
        """Ask nobody yet."""
        self._transport = transport
        self._proxies = proxies
        self._peers = peers

    async def ask(self, url: str, tls: Tls | None) -> Discovered:
        """Return what the GitLab at `url`, without a slash at its end, publishes.

        Raises:
            UpstreamError: it does not answer, or not with what is needed.

        """
        address = url + WELL_KNOWN
        raw = await self._get(address, tls)
        try:
            found = msgspec.json.decode(raw, type=_Configuration)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _wrong(
                f"{address} is no OpenID configuration ({error}). Correct 'url'."
            ) from None
        self._check(url, found.jwks_uri)
        raw = await self._get(found.jwks_uri, tls)
        try:
            return Discovered(found.issuer.rstrip("/"), read_key_set(raw))
        except ValueError as error:
            raise _wrong(f"Of {found.jwks_uri} nothing can be used: {error}.") from None

    def _check(self, url: str, keys: str) -> None:
        """Raise `UpstreamError` where the keys are somewhere that nobody has allowed."""
        try:
            scheme, host, port, _ = split(keys)
        except ValueError as error:
            raise _wrong(f"The 'jwks_uri' of {url} cannot be asked: {error}.") from None
        if (scheme, host.lower(), port) == _origin(url) or (host.lower(), port) in self._peers:
            return
        raise _wrong(
            f"{url} says that its keys are at {keys[:200]}, which is another origin. Write that"
            " origin as 'url' if it is the same GitLab by its other name, or list"
            f" '{host}:{port}' in [egress] peers of inhouse.toml."
        )

    async def _get(self, url: str, tls: Tls | None) -> bytes:
        scheme, host, port = _origin(url)
        try:
            proxy = proxy_for(scheme, host, port, self._proxies)
        except ValueError as error:
            raise _wrong(f"The environment's proxy cannot be used: {error}.") from None
        response = await self._transport.request(
            "GET", url, _HEADERS, tls=tls, proxy=proxy, deadlines=_DEADLINES
        )
        if response.status == 200:
            return await response.read(LARGEST)
        response.abort()
        raise _wrong(f"{url} answered {response.status}{_advice(response.status)}")


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return "; redirects are not followed. Write as 'url' where GitLab itself is."
    if status == 404:
        return ": there is no GitLab. Correct 'url'; the path of a relative URL belongs to it."
    if status in (401, 403):
        return (
            ": something before GitLab asks who we are. Let this path and /oauth/discovery/keys"
            " through."
        )
    return ": GitLab, or a proxy before it, is not well. It is asked again soon."


def _origin(url: str) -> tuple[str, str, int]:
    scheme, host, port, _ = split(url)
    return scheme, host.lower(), port


def _wrong(message: str) -> UpstreamError:
    return UpstreamError(UpstreamFailure.PROTOCOL, message)
