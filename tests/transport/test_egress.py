"""What the egress policy lets pass, and how it says that it does not."""

import ipaddress
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.places import parse_network, parse_peer
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport import Policy, unservable
from inhouse.transport.addresses import is_loopback, refused

GPU = ("gpu.example", 8000)
hosts = st.sampled_from(["gpu.example", "other.example", "10.1.2.3", "fd12::7", "localhost"])
ports = st.sampled_from([80, 8000])
places = st.tuples(hosts, ports)


def policy(tmp_path: Path, *peers: str, networks: tuple[str, ...] = ()) -> Policy:
    made = Policy(map(parse_peer, peers), map(parse_network, networks), tmp_path / "hosts")
    made.register([GPU])
    return made


def fault(found: pytest.ExceptionInfo[UpstreamError]) -> str:
    assert found.value.failure is UpstreamFailure.FORBIDDEN
    assert found.value.param == "endpoint"
    return found.value.message


@given(registered=st.frozensets(places), peers=st.frozensets(places), asked=places)
def test_lets_registered_places_and_peers_pass_and_no_others(
    registered: frozenset[tuple[str, int]],
    peers: frozenset[tuple[str, int]],
    asked: tuple[str, int],
) -> None:
    made = Policy(peers)
    made.register([("before.example", 1)])
    made.register(registered)
    if asked in registered | peers:
        made.check_place(*asked)
    else:
        with pytest.raises(UpstreamError, match=str(asked[1])) as caught:
            made.check_place(*asked)
        assert asked[0] in fault(caught)


@pytest.mark.parametrize("host", ["GPU.example", "gpu.example.", "Gpu.Example"])
def test_a_name_is_the_same_in_any_spelling(host: str, tmp_path: Path) -> None:
    policy(tmp_path).check_place(host, 8000)


def test_says_what_to_do_about_a_place_that_is_not_registered(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError) as caught:
        policy(tmp_path).check_place("other.example", 443)
    assert fault(caught) == (
        "other.example:443 is no endpoint of a registered deployment, so the egress policy does not"
        " let inhouse connect there. Register it, or list it in [egress] peers of inhouse.toml."
    )


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("169.254.169.254", "a cloud's metadata service"),
        ("::ffff:169.254.169.254", "a cloud's metadata service"),
        ("0.0.0.0", "no address of a machine"),  # noqa: S104 - nothing listens
        ("224.0.0.1", "an address of many machines at once"),
        ("169.254.7.7", None),
        ("10.1.2.3", None),
        ("metadata.example", None),
    ],
)
def test_knows_where_no_model_is_served(host: str, kind: str | None) -> None:
    assert unservable(host) == kind


def test_says_what_a_metadata_service_is(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="metadata service") as caught:
        policy(tmp_path).check_place("169.254.169.254", 80)
    assert "[egress] peers" in fault(caught)


@given(address=st.ip_addresses())
def test_a_name_stands_for_no_address_that_is_refused(address: ipaddress.IPv4Address) -> None:
    made = Policy(hosts_file=Path("/nowhere"))
    made.register([GPU])
    kind = refused(address)
    if kind is None and not is_loopback(address):
        made.check_address(*GPU, str(address))
    elif kind is not None:
        with pytest.raises(UpstreamError, match=r"gpu\.example") as caught:
            made.check_address(*GPU, str(address))
        assert kind in fault(caught)
        assert str(address) in fault(caught)


@given(address=st.ip_addresses())
def test_an_address_that_is_registered_stands_for_itself(address: ipaddress.IPv4Address) -> None:
    place = (str(address), 80)
    made = Policy()
    made.register([place])
    made.check_place(*place)
    made.check_address(*place, str(address))


@given(address=st.ip_addresses(), network=st.sampled_from(["10.0.0.0/8", "fd12::/16"]))
def test_nothing_is_outside_of_the_networks(address: ipaddress.IPv4Address, network: str) -> None:
    made = Policy([(str(address), 80)], [parse_network(network)])
    if address in ipaddress.ip_network(network):
        made.check_address(str(address), 80, str(address))
    else:
        with pytest.raises(UpstreamError, match=r"outside of the networks in \[egress\]") as caught:
            made.check_address(str(address), 80, str(address))
        assert str(address) in fault(caught)


def test_a_mapped_address_is_in_the_network_of_the_one_that_it_maps() -> None:
    made = Policy(networks=[parse_network("10.0.0.0/8")])
    made.check_address("::ffff:10.1.2.3", 80, "::ffff:10.1.2.3")


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST.", "a.localhost", socket.gethostname()])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.1.1", "::1"])
def test_this_machine_s_own_names_stand_for_it(name: str, address: str, tmp_path: Path) -> None:
    policy(tmp_path).check_address(name, 8000, address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_another_name_does_not_by_the_word_of_the_dns(address: str, tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="this machine itself") as caught:
        policy(tmp_path).check_address(*GPU, address)
    assert "127.0.0.1" in fault(caught)
    assert "gpu.example:8000" in fault(caught)


def test_another_name_does_by_the_hosts_file(tmp_path: Path) -> None:
    hosts = "10.0.0.1 other\n127.0.0.1\tlocalhost  GPU.example # not this.example\n"
    (tmp_path / "hosts").write_text(hosts)
    made = policy(tmp_path)
    made.check_address(*GPU, "127.0.0.1")
    with pytest.raises(UpstreamError):
        made.check_address("this.example", 8000, "127.0.0.1")


def test_another_name_does_as_a_peer(tmp_path: Path) -> None:
    made = policy(tmp_path, "gpu.example:8000")
    made.check_address(*GPU, "127.0.0.1")
    with pytest.raises(UpstreamError):
        made.check_address("gpu.example", 8001, "127.0.0.1")


def test_the_environment_s_proxies_are_peers() -> None:
    class Written:
        peers = ("metrics.example:4318",)
        networks = ()

    made = Policy.of(
        Written(),
        {
            "http_proxy": "http://user:hush@proxy.example:3128",
            "https_proxy": "socks5://proxy.example:1080",
            "no_proxy": "direct.example",
        },
    )
    made.check_place("proxy.example", 3128)
    made.check_place("metrics.example", 4318)
    for host, port in [("proxy.example", 1080), ("direct.example", 3128)]:
        with pytest.raises(UpstreamError):
            made.check_place(host, port)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("gpu.example:8000", ("gpu.example", 8000)),
        (" GPU.example.:1 ", ("gpu.example", 1)),
        ("10.0.0.1:65535", ("10.0.0.1", 65535)),
        ("[fd12::7]:80", ("fd12::7", 80)),
    ],
)
def test_reads_peers(text: str, place: tuple[str, int]) -> None:
    assert parse_peer(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpu",
        "gpu:",
        ":80",
        "gpu:0",
        "gpu:65536",
        "gpu:x",
        "http://gpu:80",
        "a:b:80",
        "gpu:²",
        "[]:80",
        ".:80",
    ],
)
def test_refuses_what_is_no_peer(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_peer(text)


@pytest.mark.parametrize("text", ["", "x", "10.0.0.1/8", "10.0.0.0/33"])
def test_refuses_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="not a network"):
        parse_network(text)


@given(st.text())
def test_any_text_is_a_peer_or_a_clear_error(text: str) -> None:
    try:
        host, port = parse_peer(text)
    except ValueError:
        return
    assert host
    assert 0 < port < 65536
