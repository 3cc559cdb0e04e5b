"""No dress hides what an address is."""

import ipaddress
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.transport.addresses import is_loopback, parse, plain, refused

METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
]
DRESSES: dict[str, Callable[[int], int]] = {
    "mapped": lambda number: 0xFFFF << 32 | number,
    "compatible": lambda number: number,
    "translated": lambda number: 0xFFFF << 48 | number,
    "NAT64": lambda number: 0x64FF9B << 96 | number,
    "local NAT64": lambda number: 0x64FF9B0001 << 80 | 7 << 64 | number,
    "6to4": lambda number: 0x2002 << 112 | number << 80 | 1,
    "Teredo": lambda number: 0x20010000 << 96 | number ^ 0xFFFFFFFF,
    "ISATAP": lambda number: 0x20010DB8 << 96 | 0x5EFE << 32 | number,
}
anything = st.ip_addresses()
links = st.ip_addresses(network="169.254.0.0/16") | st.ip_addresses(network="fe80::/10")
crowds = st.ip_addresses(network="224.0.0.0/4") | st.ip_addresses(network="ff00::/8")
nobodies = st.ip_addresses(network="0.0.0.0/8") | st.just(IPv6Address("::"))
ordinary = (
    st.ip_addresses(network="10.0.0.0/8")
    | st.ip_addresses(network="172.16.0.0/12")
    | st.ip_addresses(network="192.168.0.0/16")
    | st.ip_addresses(network="203.0.112.0/22")
    | st.ip_addresses(network="fd12:3456::/32")
    | st.ip_addresses(network="2a00:1450::/32")
)


@pytest.mark.parametrize("text", METADATA)
def test_knows_the_metadata_services(text: str) -> None:
    assert refused(ipaddress.ip_address(text)) == "a cloud's metadata service"


@given(links)
def test_refuses_link_local_addresses(address: IPv4Address | IPv6Address) -> None:
    assert refused(address) in {"a link-local address", "a cloud's metadata service"}


@given(crowds | st.just(IPv4Address("255.255.255.255")))
def test_refuses_addresses_of_many(address: IPv4Address | IPv6Address) -> None:
    assert refused(address) == "an address of many machines at once"


@given(nobodies)
def test_refuses_addresses_of_none(address: IPv4Address | IPv6Address) -> None:
    assert refused(address) == "no address of a machine"


@given(ordinary)
def test_lets_ordinary_addresses_be(address: IPv4Address | IPv6Address) -> None:
    assert refused(address) is None
    assert not is_loopback(address)


@pytest.mark.parametrize("dress", DRESSES)
@given(address=st.ip_addresses(v=4))
def test_no_dress_hides_an_address(dress: str, address: IPv4Address) -> None:
    dressed = IPv6Address(DRESSES[dress](int(address)))
    # The compatible forms of 0.0.0.0 and 0.0.0.1 are :: and ::1, which are addresses of their own.
    if int(dressed) > 1:
        assert refused(address) is None or refused(dressed) is not None
        assert is_loopback(dressed) or not is_loopback(address)


@given(address=links, scope=st.sampled_from(["1", "eth0"]))
def test_a_scope_hides_nothing(address: IPv4Address | IPv6Address, scope: str) -> None:
    if isinstance(address, IPv6Address):
        assert refused(IPv6Address(f"{address}%{scope}")) == refused(address)


@given(anything)
def test_answers_for_every_address(address: IPv4Address | IPv6Address) -> None:
    assert refused(address) is None or refused(plain(address)) is not None
    assert parse(str(address)) == address


@pytest.mark.parametrize("text", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "a.example", ""])
def test_what_only_resolvers_take_for_an_address_is_a_name(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("text", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_knows_loopback(text: str) -> None:
    assert is_loopback(ipaddress.ip_address(text))
