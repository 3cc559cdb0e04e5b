"""What an IP address is, whatever it is dressed up as: loopback, metadata, or nobody's."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LINK_LOCAL = "a link-local address"
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, Oracle, OpenStack and most others
            "169.254.170.2",  # AWS: roles of containers
            "169.254.170.23",  # AWS: roles of pods
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",  # Google
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure's wire server
            "192.0.0.192",  # Oracle, before
            "fd00:c1::a9fe:a9fe",  # Oracle
            "fd00:42::42",  # Scaleway
        ),
    )
)
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")  # Linux takes 0.0.0.0 for itself
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_EMBEDDING = (
    ipaddress.IPv6Network("::/96"),  # IPv4-compatible
    ipaddress.IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated
    ipaddress.IPv6Network("64:ff9b::/96"),  # NAT64
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own network
)
"""IPv6 networks whose last 32 bits are an IPv4 address."""
_ISATAP = (0x00005EFE, 0x02005EFE)


def parse(text: str) -> IpAddress | None:
    """Return the address that is written as such; None for a name, and for ``0x7f.1``."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def plain(address: IpAddress) -> IpAddress:
    """Return the IPv4 address where IPv6 is only its dress; the kernel connects to that."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def is_loopback(address: IpAddress) -> bool:
    """Tell whether it is this machine, directly or behind a translation."""
    return any(each.is_loopback for each in _meant(address))


def refused(address: IpAddress) -> str | None:
    """Return what kind of address it is where no model server can be; None for all others."""
    for each in _meant(address):
        if each in _METADATA:
            return "a cloud's metadata service"
        if each.is_link_local:
            return LINK_LOCAL
        if each.is_multicast or each == _BROADCAST:
            return "an address of many machines at once"
        if each.is_unspecified or each in _THIS_NETWORK:
            return "no address of a machine"
    return None


def _meant(address: IpAddress) -> Iterator[IpAddress]:
    """Yield the address, and the IPv4 addresses that it may be translated to on the way."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    address = ipaddress.IPv6Address(int(address))  # without its scope
    yield address
    number = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    embedded = any(address in network for network in _EMBEDDING) and number > 1
    if embedded or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
