"""Which proxy a request goes through: the environment's variables, read as curl and Go do."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from inhouse.core.secret import Secret


class Proxy(Struct, frozen=True, kw_only=True):
    """An HTTP proxy; `authorization` is a whole header value."""

    host: str
    port: int
    authorization: Secret = Secret()

    @property
    def place(self) -> str:
        """``host:port``."""
        return join(self.host, self.port)


def parse_proxy(url: str) -> Proxy:
    """Read ``http://[user:password@]host[:port]``; a bare ``host:port`` is understood too.

    Raises:
        ValueError: another scheme, or no host; the message never shows the URL's password.

    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http":
        raise ValueError(f"the proxy's scheme is '{parts.scheme}'; only http:// is supported")
    if not parts.hostname:
        raise ValueError("the proxy's URL names no host")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(host=parts.hostname, port=parts.port or 3128, authorization=Secret(authorization))


def proxy_for(scheme: str, host: str, port: int, proxies: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for an origin.

    `proxies` holds ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``. Loopback is
    never asked through a proxy. Raises ValueError like `parse_proxy`.
    """
    url = proxies.get(f"{scheme}_proxy") or proxies.get("all_proxy")
    if not url or is_direct(host, port, proxies.get("no_proxy", "")):
        return None
    return parse_proxy(url)


def is_direct(host: str, port: int, no_proxy: str) -> bool:
    """Tell whether ``no_proxy`` exempts a host.

    Entries are separated by commas: ``*``, a host with its subdomains (a leading dot or ``*.``
    changes nothing), an address, a network such as ``10.0.0.0/8``; each but the first may end in
    a port, to which it is then limited.
    """
    host = host.lower().rstrip(".")
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(
        _matches(entry, host, port, address)
        for entry in (each.strip().lower() for each in no_proxy.split(","))
        if entry
    )


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _matches(entry: str, host: str, port: int, address: _Address | None) -> bool:
    if entry == "*":
        return True
    name, wanted_port = _split_port(entry)
    if wanted_port is not None and wanted_port != port:
        return False
    if address is not None:
        try:
            return address in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    name = name.removeprefix("*").removeprefix(".").rstrip(".")
    return bool(name) and (host == name or host.endswith("." + name))


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, int(rest[1:]) if rest[1:].isdecimal() else None
    name, _, port = entry.rpartition(":")
    if name and ":" not in name and port.isdecimal():
        return name, int(port)
    return entry, None


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def join(host: str, port: int) -> str:
    """Return ``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
