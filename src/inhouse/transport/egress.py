"""The egress policy: which places may be connected to, and which addresses they may stand for."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from inhouse.core.places import parse_network, parse_peer
from inhouse.core.ports import Place
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.addresses import (
    LINK_LOCAL,
    IpNetwork,
    is_loopback,
    parse,
    plain,
    refused,
)
from inhouse.transport.proxy import join, parse_proxy

HOSTS_FILE = Path("/etc/hosts")


class Written(Protocol):
    """Section ``[egress]`` of the configuration."""

    @property
    def peers(self) -> tuple[str, ...]:
        """``HOST:PORT``, as `parse_peer` reads it."""
        ...

    @property
    def networks(self) -> tuple[str, ...]:
        """Networks such as ``10.0.0.0/8``, as `parse_network` reads it."""
        ...


class Policy:
    """Lets connections pass to registered places, to peers and to proxies, and to nothing else.

    A place that is written as an address stands for just that. A name must not stand for a metadata
    service, a link-local address and the like, nor for this machine where nothing on it says so.
    Peers and networks come from the operator's file; a registry's administrator cannot widen them.
    """

    def __init__(
        self,
        peers: Iterable[Place] = (),
        networks: Iterable[IpNetwork] = (),
        hosts_file: Path = HOSTS_FILE,
    ) -> None:
        """Let nothing pass but `peers`; where `networks` are given, nothing outside of them."""
        self._peers = frozenset(map(_normal, peers))
        self._networks = tuple(networks)
        self._hosts_file = hosts_file
        self._registered: frozenset[Place] = frozenset()

    @classmethod
    def of(cls, written: Written, proxies: Mapping[str, str]) -> Policy:
        """Return the policy of a configuration, the environment's `proxies` among its peers.

        Raises:
            ValueError: a peer or network is none.

        """
        peers = [parse_peer(each) for each in written.peers]
        return cls([*peers, *_proxies(proxies)], map(parse_network, written.networks))

    def register(self, places: Iterable[Place]) -> None:
        """Let the places of registered deployments pass, and no longer those of before."""
        self._registered = frozenset(map(_normal, places))

    def check_place(self, host: str, port: int) -> None:
        """Raise `UpstreamError` (FORBIDDEN) where no deployment or peer is at that place."""
        place = _normal((host, port))
        if place in self._registered or place in self._peers:
            return
        where = join(host, port)
        address = parse(host)
        kind = None if address is None else refused(address)
        if kind is not None:
            raise _forbidden(
                f"{where} is {kind}; the egress policy lets only the provider itself connect there."
                f" Correct the endpoint, or list {where} in [egress] peers of inhouse.toml."
            )
        raise _forbidden(
            f"{where} is no endpoint of a registered deployment, so the egress policy does not let"
            " inhouse connect there. Register it, or list it in [egress] peers of inhouse.toml."
        )

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise `UpstreamError` (FORBIDDEN) where `host` may not stand for this IP address."""
        found = ipaddress.ip_address(address)
        literal = parse(host)
        if self._networks and not any(plain(found) in network for network in self._networks):
            stands = (
                f"{join(host, port)} is"
                if literal is not None
                else f"'{host}' stands for {address},"
            )
            raise _forbidden(
                f"{stands} outside of the networks in [egress] of inhouse.toml."
                " Add its network there, or correct the endpoint."
            )
        if literal is not None and plain(literal) == plain(found):
            return
        if (kind := refused(found)) is not None:
            raise _forbidden(
                f"'{host}' stands for {address}, {kind}, which the egress policy refuses."
                " Correct the DNS, or the endpoint."
            )
        if is_loopback(found) and not self._is_this_machine(host, port):
            raise _forbidden(
                f"'{host}' stands for {address}, this machine itself, by the word of the DNS alone;"
                " the egress policy refuses that. If it is meant, let the endpoint say 127.0.0.1,"
                f" name '{host}' in {self._hosts_file},"
                f" or list {join(host, port)} in [egress] peers of inhouse.toml."
            )

    def _is_this_machine(self, host: str, port: int) -> bool:
        """Tell whether this machine's own settings say that a name is its own."""
        name, _ = place = _normal((host, port))
        return (
            name == "localhost"
            or name.endswith(".localhost")
            or place in self._peers
            or name in {socket.gethostname().lower(), socket.gethostname().lower().split(".")[0]}
            # A look into a short local file, and only where a name stands for loopback.
            or name in _names(self._hosts_file)
        )


class Anywhere:
    """Lets every place pass, for programs whose user names the place; names only where sane."""

    def check_place(self, host: str, port: int) -> None:
        """Let it pass."""

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise `UpstreamError` (FORBIDDEN) where a name stands for what no server can be."""
        found = ipaddress.ip_address(address)
        kind = refused(found)
        if kind is not None and parse(host) is None:
            raise _forbidden(
                f"'{host}' stands for {address}, {kind}, at port {port}: inhouse does not connect"
                " there. Correct the DNS, or the address."
            )


def unservable(host: str) -> str | None:
    """Return what an address is at which no model is ever served; None for others, and names.

    Two machines on one cable do have link-local addresses.
    """
    address = parse(host)
    kind = None if address is None else refused(address)
    return None if kind == LINK_LOCAL else kind


def nameable(host: str) -> bool:
    """Tell whether an endpoint there may be connected to without being listed as a peer."""
    address = parse(host)
    return address is None or refused(address) is None


def _normal(place: Place) -> Place:
    host, port = place
    host = host.lower().rstrip(".")
    address = parse(host)
    return (host if address is None else str(plain(address))), port


def _proxies(proxies: Mapping[str, str]) -> Iterable[Place]:
    for name, url in proxies.items():
        if name == "no_proxy":
            continue
        try:
            proxy = parse_proxy(url)
        except ValueError:
            continue  # each deployment that would use it says what is wrong
        yield proxy.host, proxy.port


def _names(hosts_file: Path) -> set[str]:
    try:
        lines = hosts_file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    return {name.lower() for line in lines for name in line.partition("#")[0].split()[1:]}


def _forbidden(sentence: str) -> UpstreamError:
    return UpstreamError(UpstreamFailure.FORBIDDEN, sentence, param="endpoint")
