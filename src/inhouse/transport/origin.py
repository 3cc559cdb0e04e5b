"""Where a request goes, and the first lines of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit

from msgspec import Struct

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.proxy import Proxy, join
from inhouse.transport.tls import Tls

PORTS = {"http": 80, "https": 443}
_SAFE = "/%:@!$&'()*+,;=-._~?[]"
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")


class Origin(Struct, frozen=True, kw_only=True):
    """Whatever two requests must have in common to share a connection."""

    host: str
    port: int
    secure: bool
    tls: Tls | None = None
    proxy: Proxy | None = None

    @property
    def place(self) -> str:
        """``host:port``, as messages name an upstream."""
        return join(self.host, self.port)


class Opening(Struct, frozen=True, kw_only=True):
    """How a request begins: `lines` are its first ones, up to the ``Host`` field.

    `authority` is what ``Host`` says; the request target is `path`, except at a plain proxy.
    """

    origin: Origin
    method: str
    authority: str
    path: str
    lines: bytes


def split(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and the request target of a URL.

    Raises:
        ValueError: no HTTP URL, without a host, or with credentials; never shows the URL.

    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("the address does not begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("the address holds credentials; they belong into their own field")
    if not parts.hostname:
        raise ValueError("the address names no host")
    host = parts.hostname
    if not host.isascii():
        host = host.encode("idna").decode()
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE)
    return parts.scheme, host, parts.port or PORTS[parts.scheme], target


@lru_cache(maxsize=1024)
def prepared(method: str, url: str, tls: Tls | None, proxy: Proxy | None) -> Opening:
    """Return where a URL leads, and how a request to it begins.

    Raises:
        UpstreamError: the URL is none; the message does not show it.

    """
    try:
        scheme, host, port, path = split(url)
    except ValueError as error:
        raise UpstreamError(UpstreamFailure.UNREACHABLE, f"Cannot ask: {error}.") from None
    secure = scheme == "https"
    authority = join(host, port) if port != PORTS[scheme] else join(host, 0).removesuffix(":0")
    target, extra = path, ""
    if proxy is not None and not secure:
        target = f"http://{authority}{path}"
        if proxy.authorization:
            extra = f"proxy-authorization: {proxy.authorization.reveal()}\r\n"
    return Opening(
        origin=Origin(
            host=host, port=port, secure=secure, tls=tls if secure else None, proxy=proxy
        ),
        method=method,
        authority=authority,
        path=path,
        lines=f"{method} {target} HTTP/1.1\r\nhost: {authority}\r\n{extra}".encode(),
    )


def header_block(headers: Mapping[str, str]) -> bytes:
    """Return header fields as they go over the wire; what stays the same is rendered once.

    Raises:
        ValueError: a name or value that HTTP does not allow; the message shows no value.

    """
    for name, value in headers.items():
        if not _FIELD_NAME.match(name) or not _FIELD_VALUE.match(value):
            raise ValueError(f"the header {name[:50]!a} has a character that HTTP forbids")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")
