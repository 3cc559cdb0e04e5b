"""Names are looked up once, checked, and never waited for longer than allowed."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable

import anyio
import pytest

from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import HttpClient
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport import Policy, Proxy, Transport
from inhouse.transport.resolving import LOOKUPS
from tests.fakes.http import Exchange, Server

LIMIT = 1 << 20
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
NOBODY = "127.0.0.2"  # nobody listens there


class Names:
    """A name service with memory; `answers` hold addresses, in turn where there are several.

    A name without an answer is unknown. While `silent` is set, it does not answer.
    """

    def __init__(self, **answers: list[tuple[str, ...]]) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()
        self.threads: set[str] = set()
        self.silent = threading.Event()
        self.silent.set()

    def __call__(self, name: str) -> tuple[str, ...]:
        self.asked[name] += 1
        self.threads.add(threading.current_thread().name)
        self.silent.wait(10)
        known = self.answers.get(name.partition(".")[0])
        if not known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return known.pop(0) if len(known) > 1 else known[0]


@pytest.fixture
async def opened(http_client: HttpClient) -> AsyncGenerator[Callable[[Names], Transport]]:
    """Make a transport that asks these names, and may connect to any of them."""
    made: list[tuple[Transport, Names]] = []

    def make(names: Names) -> Transport:
        transport = Transport(Anyone(), names, http_client=http_client)
        made.append((transport, names))
        return transport

    yield make
    for transport, names in made:
        names.silent.set()
        await transport.aclose()


class Anyone:
    """A policy that lets all pass, and remembers."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def check_place(self, host: str, port: int) -> None: ...

    def check_address(self, host: str, port: int, address: str) -> None:
        del host, port
        self.seen.append(address)


async def answering(exchange: Exchange) -> None:
    await exchange.send(OK)
    exchange.close()


async def get(transport: Transport, url: str, **deadlines: float) -> bytes:
    response = await transport.request("GET", url, deadlines=Deadlines(**deadlines))
    return await response.read(LIMIT)


async def test_the_next_address_is_tried(opened: Callable[[Names], Transport]) -> None:
    names = Names(gpu=[(NOBODY, "127.0.0.1")])
    transport = opened(names)
    async with Server(answering) as server:
        for _ in range(3):
            assert await get(transport, f"http://gpu.example:{server.port}/") == b"ok"
    assert server.requests[0].headers["host"] == f"gpu.example:{server.port}"


async def test_an_address_that_swallows_packets_leaves_time_for_the_next(
    opened: Callable[[Names], Transport],
) -> None:
    # A listener whose queue is full drops what comes.
    with socket.create_server(("127.0.0.3", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(("127.0.0.3", port))
        try:
            server = Server(answering)
            server.port = port
            async with server:
                transport = opened(Names(gpu=[("127.0.0.3", "127.0.0.1")]))
                assert await get(transport, f"http://gpu.example:{port}/", connect=2) == b"ok"
        finally:
            for each in fillers:
                each.close()


async def test_says_of_the_best_address_why_it_fails(
    opened: Callable[[Names], Transport],
) -> None:
    async with Server(answering) as server:
        port = server.port
    with pytest.raises(UpstreamError, match="refused the connection") as caught:
        await get(opened(Names(gpu=[(NOBODY, "::1")])), f"http://gpu.example:{port}/")
    assert f"gpu.example:{port}" in caught.value.message


async def test_a_name_is_looked_up_once_for_all_who_ask(
    opened: Callable[[Names], Transport],
) -> None:
    names = Names(gpu=[("127.0.0.1",)])
    transport = opened(names)
    async with Server(answering) as server:
        url = f"http://gpu.example:{server.port}/"
        names.silent.clear()
        asked = [asyncio.create_task(get(transport, url)) for _ in range(50)]
        await until(lambda: names.asked["gpu.example"] == 1)
        names.silent.set()
        assert await asyncio.gather(*asked) == [b"ok"] * 50
        await get(transport, url)
    assert names.asked == {"gpu.example": 1}


async def test_a_name_that_moves_is_found_again(opened: Callable[[Names], Transport]) -> None:
    names = Names(gpu=[(NOBODY,), ("127.0.0.1",)])
    transport = opened(names)
    async with Server(answering) as server:
        url = f"http://gpu.example:{server.port}/"
        with pytest.raises(UpstreamError, match="refused the connection"):
            await get(transport, url)
        assert await get(transport, url) == b"ok"


async def test_a_silent_dns_is_given_up(opened: Callable[[Names], Transport]) -> None:
    names = Names()
    names.silent.clear()
    transport = opened(names)
    with pytest.raises(
        UpstreamError, match=r"did not tell the address of 'gpu\.example'"
    ) as caught:
        await get(transport, "http://gpu.example:8000/", connect=0.05)
    assert caught.value.failure is UpstreamFailure.UNREACHABLE
    assert "gpu.example:8000" in caught.value.message
    assert "within 0.05 s (connect_timeout)" in caught.value.message


async def test_callers_who_leave_pile_up_no_threads(
    opened: Callable[[Names], Transport],
) -> None:
    names = Names()
    names.silent.clear()
    transport = opened(names)
    for _ in range(20):
        asked = [
            asyncio.create_task(get(transport, f"http://gpu{each % 40}.example:1/"))
            for each in range(80)
        ]
        await until(lambda: len(names.threads) == LOOKUPS)
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    assert len(names.threads) == LOOKUPS
    assert set(names.asked.values()) == {1}
    assert transport.connections() == 0


async def test_a_hanging_lookup_does_not_hold_up_another(
    opened: Callable[[Names], Transport],
) -> None:
    names = Names()
    names.silent.clear()
    transport = opened(names)
    hanging = asyncio.create_task(get(transport, "http://gpu.example:1/"))
    await until(lambda: names.asked["gpu.example"] == 1)
    async with Server(answering) as server:
        assert await get(transport, server.url) == b"ok"
    hanging.cancel()


@pytest.mark.parametrize("name", ["nobody.example", "a" * 64 + ".example"])
async def test_says_that_a_name_is_unknown(name: str, http_client: HttpClient) -> None:
    def lookup(asked: str) -> tuple[str, ...]:
        return Names()(asked.encode("idna").decode())

    transport = Transport(lookup=lookup, http_client=http_client)
    with pytest.raises(UpstreamError, match="cannot be resolved"):
        await get(transport, f"http://{name}:1/")
    await transport.aclose()


async def test_connects_to_the_address_that_was_checked(http_client: HttpClient) -> None:
    # What a name server that is against us would do: one answer for the check, one for the use.
    names = Names(gpu=[("127.0.0.1",), ("169.254.169.254",), (NOBODY,)])
    async with Server(answering) as server:
        transport = Transport(
            Policy([("gpu.example", server.port)]), names, http_client=http_client
        )
        url = f"http://gpu.example:{server.port}/"
        assert await get(transport, url) == b"ok"
        assert names.asked == {"gpu.example": 1}
        await transport.aclose()
        transport = Transport(
            Policy([("gpu.example", server.port)]), names, http_client=http_client
        )
        with pytest.raises(UpstreamError, match="metadata service") as caught:
            await get(transport, url)
        assert caught.value.failure is UpstreamFailure.FORBIDDEN
        # A refused answer is not kept.
        with pytest.raises(UpstreamError, match="refused the connection"):
            await get(transport, url)
        await transport.aclose()


async def test_an_answer_that_is_refused_leaves_the_others(http_client: HttpClient) -> None:
    names = Names(gpu=[("169.254.169.254", "fe80::1", "127.0.0.1")])
    async with Server(answering) as server:
        transport = Transport(
            Policy([("gpu.example", server.port)]), names, http_client=http_client
        )
        assert await get(transport, f"http://gpu.example:{server.port}/") == b"ok"
        await transport.aclose()


async def test_a_place_that_is_not_registered_is_not_even_looked_up(
    http_client: HttpClient,
) -> None:
    names = Names(other=[("127.0.0.1",)])
    transport = Transport(Policy(), names, http_client=http_client)
    with pytest.raises(UpstreamError, match="no endpoint of a registered deployment"):
        await get(transport, "http://other.example:1/")
    await transport.aclose()
    assert not names.asked


async def test_asks_no_policy_on_a_connection_that_is_there(http_client: HttpClient) -> None:
    async def keeping(exchange: Exchange) -> None:
        await exchange.send(OK.replace(b"connection: close\r\n", b""))

    policy = Anyone()
    transport = Transport(policy, http_client=http_client)
    async with Server(keeping) as server:
        for _ in range(10):
            assert await get(transport, server.url) == b"ok"
        assert policy.seen == ["127.0.0.1"]
        await transport.aclose()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_and_whom_it_asks_must_both_be_known(
    scheme: str, http_client: HttpClient
) -> None:
    async with Server(answering) as server:
        proxy = Proxy(host="127.0.0.1", port=server.port)
        target, peer = ("gpu.example", 8000), ("127.0.0.1", server.port)
        for known, words in [([target], "127.0.0.1"), ([peer], "gpu.example")]:
            transport = Transport(Policy(known), http_client=http_client)
            with pytest.raises(UpstreamError, match=words) as caught:
                await transport.request("GET", f"{scheme}://gpu.example:8000/", proxy=proxy)
            assert caught.value.failure is UpstreamFailure.FORBIDDEN
            await transport.aclose()
        assert not server.connections
        transport = Transport(Policy([target, peer]), Names(), http_client=http_client)
        if scheme == "http":
            response = await transport.request("GET", "http://gpu.example:8000/", proxy=proxy)
            assert await response.read(LIMIT) == b"ok"
        await transport.aclose()


async def until(claim: Callable[[], bool]) -> None:
    """Wait for what happens in other threads."""
    with anyio.fail_after(10):
        while not claim():  # noqa: ASYNC110 - threads tell no event
            await anyio.sleep(0.001)
