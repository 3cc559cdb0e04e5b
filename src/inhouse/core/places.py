"""Places and networks as people write them."""

from __future__ import annotations

import ipaddress

from inhouse.core.ports import Place

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_peer(text: str) -> Place:
    """Read ``HOST:PORT``, an IPv6 address in brackets.

    Raises:
        ValueError: it is none.

    """
    host, _, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    sane = bool(host.strip("[].")) and (bracketed or not set(host) & set(":/@[]"))
    digits = port.isascii() and port.isdecimal() and len(port) <= 5
    if not sane or not host.isprintable() or not digits or not 0 < int(port) < 65536:
        raise ValueError(f"'{text}' is not HOST:PORT, as in gpu.example:8000 or [fd12::7]:8000")
    return host.strip("[]").lower().rstrip("."), int(port)


def parse_network(text: str) -> IpNetwork:
    """Read an address, or a network such as ``10.0.0.0/8``.

    Raises:
        ValueError: it is none.

    """
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"'{text}' is not a network, as in 10.0.0.0/8: {error}") from None
