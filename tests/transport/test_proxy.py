"""Proxies: which hosts are asked through them, and how they are spoken to."""

import asyncio
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport import Proxy, Tls, Transport, is_direct, parse_proxy, proxy_for
from tests.fakes.authority import Authority
from tests.fakes.http import Exchange, Server

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def answering(exchange: Exchange) -> None:
    await exchange.send(OK)


class Relay:
    """A proxy for CONNECT that remembers the requests."""

    def __init__(self, refusal: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self.port = 0
        self._refusal = refusal
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self._refusal:
            writer.write(self._refusal)
            writer.close()
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        self._writers.append(far_writer)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except OSError:
        pass
    finally:
        writer.transport.abort()


async def test_asks_plain_upstreams_with_the_whole_address(transport: Transport) -> None:
    async with Server(answering) as server:
        proxy = parse_proxy(f"http://user:p%40ss@127.0.0.1:{server.port}")
        response = await transport.request("GET", "http://far.example:8000/v1?a=b", proxy=proxy)
        assert await response.read(10) == b"ok"
    (request,) = server.requests
    assert request.target == "http://far.example:8000/v1?a=b"
    assert request.headers["host"] == "far.example:8000"
    assert request.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"


async def test_tunnels_to_tls_upstreams(transport: Transport, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Server(answering, authority.server()) as server, Relay() as relay:
        proxy = parse_proxy(f"http://user:pass@127.0.0.1:{relay.port}")
        tls = Tls(ca_file=authority.ca_file)
        for _ in range(2):
            response = await transport.request("GET", server.url, tls=tls, proxy=proxy)
            assert await response.read(10) == b"ok"
        assert server.connections == 1
        assert "proxy-authorization" not in server.requests[0].headers
    (head,) = relay.heads
    assert head.startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % server.port)
    assert b"proxy-authorization: Basic dXNlcjpwYXNz\r\n" in head


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Auth\r\n\r\n", "user and password"),
        (b"HTTP/1.1 403 No\r\n\r\n", "status 403"),
        (b"rubbish\r\n\r\n", "status 0"),
        (b"HTTP/1.1 200 ", "proxy"),
        (b"x" * 40_000, "status 0"),
    ],
)
async def test_says_that_the_proxy_refuses(transport: Transport, answer: bytes, words: str) -> None:
    async with Relay(answer) as relay:
        proxy = parse_proxy(f"http://user:hush@127.0.0.1:{relay.port}")
        with pytest.raises(UpstreamError, match=words) as caught:
            await transport.request("GET", "https://far.example/", proxy=proxy)
    assert caught.value.failure in {UpstreamFailure.UNREACHABLE, UpstreamFailure.TLS}
    assert "hush" not in caught.value.message
    assert transport.connections() == 0


async def test_says_that_the_proxy_is_not_there(transport: Transport) -> None:
    async with Relay() as relay:
        port = relay.port
    with pytest.raises(UpstreamError, match=f"The proxy 127.0.0.1:{port} refused"):
        await transport.request(
            "GET", "http://far.example/", proxy=Proxy(host="127.0.0.1", port=port)
        )


async def test_an_abort_reaches_through_the_tunnel(transport: Transport, tmp_path: Path) -> None:
    async def hanging(exchange: Exchange) -> None:
        await exchange.hang()

    authority = Authority(tmp_path)
    async with Server(hanging, authority.server()) as server, Relay() as relay:
        proxy = Proxy(host="127.0.0.1", port=relay.port)
        tls = Tls(ca_file=authority.ca_file)
        task = asyncio.create_task(transport.request("GET", server.url, tls=tls, proxy=proxy))
        await server.until(lambda: len(server.requests) == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.until(lambda: server.aborted == 1)
    assert transport.connections() == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [("socks5://user:hush@p:1", "only http"), ("https://p", "only http"), ("http://", "no host")],
)
def test_refuses_other_proxies(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_proxy(url)
    assert "hush" not in str(caught.value)


def test_a_proxy_does_not_show_its_password() -> None:
    proxy = parse_proxy("http://user:hush@p:1")
    assert "hush" not in repr(proxy)
    assert proxy.place == "p:1"
    assert parse_proxy("p.example:8080").place == "p.example:8080"


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("", "far.example", 80, False),
        ("*", "far.example", 80, True),
        ("example", "far.example", 80, True),
        (".far.example", "far.example", 80, True),
        ("*.far.example", "a.far.example", 80, True),
        ("far.example", "a.far.example", 80, True),
        ("far.example", "afar.example", 80, False),
        ("FAR.example", "far.EXAMPLE.", 80, True),
        ("x, far.example:8000 ,y", "far.example", 8000, True),
        ("far.example:8000", "far.example", 80, False),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.0/8", "10.example", 80, False),
        ("192.168.1.7", "192.168.1.7", 80, True),
        ("192.168.1.7:81", "192.168.1.7", 80, False),
        ("fd00::/8", "fd00::1", 80, True),
        ("[fd00::1]:80", "fd00::1", 80, True),
        ("[fd00::1]:81", "fd00::1", 80, False),
        ("fd00::1", "fd00::1", 80, True),
        ("1.1.1.1,:,/,[", "far.example", 80, False),
        ("", "localhost", 80, True),
        ("", "127.0.0.1", 80, True),
        ("", "::1", 80, True),
    ],
)
def test_no_proxy(no_proxy: str, host: str, port: int, direct: bool) -> None:
    assert is_direct(host, port, no_proxy) is direct


@given(st.text(max_size=40), st.sampled_from(["far.example", "10.0.0.1", "fd00::1"]))
def test_no_proxy_may_hold_anything(no_proxy: str, host: str) -> None:
    assert is_direct(host, 80, no_proxy) in {True, False}


def test_finds_the_proxy_of_the_scheme() -> None:
    proxies = {"http_proxy": "http://a:1", "https_proxy": "b:2", "no_proxy": "near.example"}
    assert proxy_for("http", "far.example", 80, proxies) == Proxy(host="a", port=1)
    assert proxy_for("https", "far.example", 443, proxies) == Proxy(host="b", port=2)
    assert proxy_for("https", "near.example", 443, proxies) is None
    assert proxy_for("http", "far.example", 80, {"all_proxy": "c"}) == Proxy(host="c", port=3128)
    assert proxy_for("http", "far.example", 80, {}) is None
