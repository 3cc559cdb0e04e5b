"""Requests and answers, connections used again or not, over real sockets."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from inhouse.core.deadlines import Deadlines
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport import Transport, header_block
from tests.fakes.http import Exchange, Handler, Server, chunked

LIMIT = 1 << 24
PATIENT = Deadlines()
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
async def pooled() -> AsyncGenerator[Transport]:
    """Ours alone: how it spares connections is its own affair."""
    client = Transport()
    yield client
    await client.aclose()


def saying(*pieces: bytes, close: bool = False) -> Handler:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(*pieces)
        if close:
            exchange.close()

    return handler


def in_turn(*handlers: Handler) -> Handler:
    remaining = list(handlers)

    async def handler(exchange: Exchange) -> None:
        await remaining.pop(0)(exchange)

    return handler


async def hanging(exchange: Exchange) -> None:
    await exchange.hang()


async def get(transport: Transport, server: Server, deadlines: Deadlines = PATIENT) -> bytes:
    response = await transport.request("GET", server.url, deadlines=deadlines)
    return await response.read(LIMIT)


async def test_sends_what_was_asked(transport: Transport) -> None:
    async with Server(saying(OK)) as server:
        headers = header_block({"authorization": "Bearer x", "x-request-id": "7"})
        url = f"{server.url}/v1/compl%20etions?a=b c#fragment"
        response = await transport.request("POST", url, headers, b'{"a": 1}')
        assert (response.status, await response.read(LIMIT)) == (200, b"ok")
    (request,) = server.requests
    assert request.method == "POST"
    assert request.target == "/v1/compl%20etions?a=b%20c"
    assert request.body == b'{"a": 1}'
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": "Bearer x",
        "x-request-id": "7",
        "content-length": "8",
    }


async def test_always_sends_a_content_length(transport: Transport) -> None:
    async with Server(saying(OK)) as server:
        await get(transport, server)
    assert server.requests[0].headers["content-length"] == "0"


async def test_sends_a_large_body_whole(transport: Transport) -> None:
    body = os.urandom(3_000_000)
    async with Server(saying(OK)) as server:
        response = await transport.request("POST", server.url, b"", body)
        assert await response.read(LIMIT) == b"ok"
    assert server.requests[0].body == body


@pytest.mark.parametrize("name", ["a b", "a\r\nb", "", "ä"])
def test_refuses_a_header_name_that_would_split_the_request(name: str) -> None:
    with pytest.raises(ValueError, match="header"):
        header_block({name: "x"})


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\0b", "€"])
def test_refuses_a_header_value_and_does_not_show_it(value: str) -> None:
    with pytest.raises(ValueError, match="header 'key'") as caught:
        header_block({"key": value})
    assert value not in str(caught.value)


async def test_reads_headers_in_any_case(transport: Transport) -> None:
    answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nX-A: 1\r\nX-A: 2\r\ncontent-length: 0\r\n\r\n"
    async with Server(saying(answer)) as server:
        response = await transport.request("GET", server.url)
        assert response.status == 429
        assert response.header("retry-AFTER") == "7"
        assert response.header("missing", "no") == "no"
        assert response.headers["x-a"] == "1"


async def test_uses_the_last_connection_again(transport: Transport) -> None:
    async with Server(saying(OK)) as server:
        for _ in range(5):
            assert await get(transport, server) == b"ok"
        assert server.connections == 1
        assert transport.connections() == 1


STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"ok")


async def test_an_upstream_that_closes_behind_its_streams_is_no_trouble(
    transport: Transport,
) -> None:
    # llama.cpp does so, having promised to keep the connection.
    async with Server(saying(STREAM, close=True)) as server:
        for _ in range(200):
            assert await get(transport, server) == b"ok"
        assert server.connections == 200
        await server.until(lambda: not server.peers)


async def test_connections_of_streams_are_used_again_once_they_have_lasted(
    pooled: Transport,
) -> None:
    async with Server(saying(STREAM)) as server:
        async with asyncio.timeout(20):
            before = -1
            # The first ones are watched for a moment; then one serves on.
            while server.connections > before:
                before = server.connections
                await get(pooled, server)
        for _ in range(50):
            await get(pooled, server)
        assert server.connections == before


async def test_a_stream_leaves_its_connection_at_once_where_there_are_no_more(
    pooled: Transport,
) -> None:
    async with Server(saying(STREAM)) as server:
        for _ in range(5):
            response = await pooled.request("GET", server.url, max_connections=1)
            assert await response.read(LIMIT) == b"ok"
        assert server.connections == 1


async def test_follows_no_redirect(transport: Transport) -> None:
    answer = b"HTTP/1.1 307 X\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n"
    async with Server(saying(answer)) as server:
        response = await transport.request("GET", server.url)
        assert (response.status, response.header("location")) == (307, "/other")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "body", "connections"),
    [
        pytest.param(OK, b"ok", 1, id="length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"o", b"k"),
            b"ok",
            2,
            id="chunked",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"2;a=b\r\nok\r\n0\r\nx: y\r\n\r\n",
            b"ok",
            2,
            id="extension and trailer",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", 1, id="204"),
        pytest.param(b"HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n", b"", 1, id="304"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + OK,
            b"ok",
            1,
            id="1xx",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            b"ok",
            2,
            id="connection: close",
        ),
        pytest.param(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok", 2, id="HTTP/1.0"),
        pytest.param(OK + OK, b"ok", 2, id="answers to nobody"),
    ],
)
async def test_reads_every_framing(
    transport: Transport, answer: bytes, body: bytes, connections: int
) -> None:
    async with Server(saying(answer)) as server:
        assert await get(transport, server) == body
        assert await get(transport, server) == body
        assert server.connections == connections


async def test_garbage_behind_an_answer_does_it_no_harm(pooled: Transport) -> None:
    # aiohttp refuses the answer too, where both arrive together.
    async with Server(saying(OK + b"garbage")) as server:
        assert await get(pooled, server) == b"ok"
        assert await get(pooled, server) == b"ok"
        assert server.connections == 2


async def test_the_close_ends_an_answer_without_a_length(transport: Transport) -> None:
    async with Server(saying(b"HTTP/1.1 200 OK\r\n\r\n", b"all", close=True)) as server:
        assert await get(transport, server) == b"all"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % i for i in range(200)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;" + b"y" * 300_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" * 10_000,
    ],
    ids=lambda answer: answer[:60].decode(),
)
async def test_refuses_what_is_not_proper_http(transport: Transport, answer: bytes) -> None:
    async with Server(saying(answer)) as server:
        with pytest.raises(UpstreamError) as caught:
            await get(transport, server)
        assert caught.value.failure is UpstreamFailure.PROTOCOL
        await server.until(lambda: not server.peers)
    assert transport.connections() == 0


async def test_refuses_a_body_over_the_limit(transport: Transport) -> None:
    async with Server(
        saying(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", b"x" * 50)
    ) as server:
        response = await transport.request("GET", server.url)
        with pytest.raises(UpstreamError, match="limit"):
            await response.read(20)
        await server.until(lambda: not server.peers)


async def test_an_idle_connection_that_closes_is_not_used(transport: Transport) -> None:
    async with Server(saying(OK)) as server:
        await get(transport, server)
        for peer in list(server.peers):
            peer.transport.close()
        await server.until(lambda: not server.peers)
        # The client's loop may or may not have seen it: either way nothing is lost.
        assert await get(transport, server) == b"ok"
        assert server.connections == 2


async def test_an_idle_connection_that_speaks_is_not_used(transport: Transport) -> None:
    async with Server(saying(OK)) as server:
        await get(transport, server)
        for peer in list(server.peers):
            peer.transport.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await server.until(lambda: not server.peers)
        assert await get(transport, server) == b"ok"
        assert server.connections == 2


async def test_a_request_that_was_sent_is_never_sent_again(transport: Transport) -> None:
    async def dying(exchange: Exchange) -> None:
        exchange.reset()

    async with Server(in_turn(saying(OK), dying, saying(OK))) as server:
        await get(transport, server)
        with pytest.raises(UpstreamError) as caught:
            await get(transport, server)
        assert caught.value.failure is UpstreamFailure.CLOSED
        assert len(server.requests) == 2


async def test_an_answer_not_read_to_its_end_is_aborted(transport: Transport) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await exchange.send(b"5\r\nhello\r\n")

    async with Server(in_turn(endless, saying(OK))) as server:
        response = await transport.request("GET", server.url)
        async with aclosing(response.chunks()) as chunks:
            assert await anext(chunks)
        await server.until(lambda: server.aborted == 1)
        assert await get(transport, server) == b"ok"
        assert server.connections == 2


async def test_a_released_answer_leaves_its_connection_to_others(transport: Transport) -> None:
    go_on = asyncio.Event()

    async def slow_end(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        await go_on.wait()
        await exchange.send(b"0\r\n\r\n")

    async with Server(in_turn(slow_end, saying(OK))) as server:
        response = await transport.request("GET", server.url)
        assert await response.next() == b"ok"
        response.release()
        response.abort()
        go_on.set()
        await server.until(lambda: not server.aborted and len(server.requests) == 1)
        assert await get(transport, server) == b"ok"
        assert server.connections <= 2


async def test_a_released_answer_without_an_end_is_aborted(transport: Transport) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        await exchange.hang()

    async with Server(endless) as server:
        response = await transport.request("GET", server.url)
        response.release()
        await server.until(lambda: server.aborted == 1)


async def test_waits_for_a_connection_when_there_are_enough(transport: Transport) -> None:
    go_on = asyncio.Event()

    async def waiting(exchange: Exchange) -> None:
        await go_on.wait()
        await exchange.send(OK)

    async def ask() -> bytes:
        response = await transport.request("GET", server.url, max_connections=2)
        return await response.read(LIMIT)

    async with Server(waiting) as server:
        tasks = [asyncio.create_task(ask()) for _ in range(10)]
        await server.until(lambda: len(server.requests) == 2)
        go_on.set()
        assert await asyncio.gather(*tasks) == [b"ok"] * 10
        assert server.connections == 2


async def test_room_is_passed_on_when_a_connection_breaks(transport: Transport) -> None:
    go_on = asyncio.Event()

    async def breaking(exchange: Exchange) -> None:
        await go_on.wait()
        exchange.reset()

    async def ask() -> UpstreamFailure:
        with pytest.raises(UpstreamError) as caught:
            await transport.request("GET", server.url, max_connections=1)
        return caught.value.failure

    async with Server(breaking) as server:
        tasks = [asyncio.create_task(ask()) for _ in range(5)]
        await server.until(lambda: len(server.requests) == 1)
        go_on.set()
        assert await asyncio.gather(*tasks) == [UpstreamFailure.CLOSED] * 5
    assert transport.connections() == 0


async def test_gives_up_waiting_for_a_connection(transport: Transport) -> None:
    async with Server(hanging) as server:
        first = asyncio.create_task(transport.request("GET", server.url, max_connections=1))
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(UpstreamError, match="max_connections") as caught:
            await transport.request(
                "GET", server.url, deadlines=Deadlines(first_token=0.02), max_connections=1
            )
        assert caught.value.failure is UpstreamFailure.TIMEOUT
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_waiter_that_leaves_loses_nothing(transport: Transport) -> None:
    go_on = asyncio.Event()

    async def waiting(exchange: Exchange) -> None:
        await go_on.wait()
        await exchange.send(OK)

    async def ask() -> bytes:
        response = await transport.request("GET", server.url, max_connections=1)
        return await response.read(LIMIT)

    async with Server(waiting) as server:
        tasks = [asyncio.create_task(ask()) for _ in range(8)]
        await server.until(lambda: len(server.requests) == 1)
        for task in tasks[1:7]:
            task.cancel()
        go_on.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in results] == [
        False, True, True, True, True, True, True, False,
    ]  # fmt: skip


async def test_a_slow_reader_slows_the_upstream_down(transport: Transport) -> None:
    piece, pieces = b"x" * 65536, 1024
    stuck = asyncio.Event()
    sent = 0

    async def flood(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (65536 * pieces))
        for _ in range(pieces):
            sending = asyncio.ensure_future(exchange.send(piece))
            done, _ = await asyncio.wait([sending], timeout=0.2)
            if not done:
                stuck.set()
            await sending
            sent += 1

    async with Server(flood) as server:
        response = await transport.request("GET", server.url)
        async with asyncio.timeout(20):
            await stuck.wait()
        assert sent < pieces // 2  # the rest of it is in the kernel's buffers
        assert len(await response.read(1 << 27)) == 65536 * pieces
        assert await asyncio.wait_for(transport.request("GET", server.url), 20)


@pytest.mark.parametrize(
    ("pieces", "deadlines", "words"),
    [
        pytest.param([], Deadlines(first_token=0.05), "first_token_timeout", id="no head"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"],
            Deadlines(first_token=0.05, between_tokens=9),
            "first_token_timeout",
            id="head only",
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"x"],
            Deadlines(between_tokens=0.05),
            "between_tokens_timeout",
            id="silence",
        ),
        pytest.param([], Deadlines(total=0.05), "total_timeout", id="total, no head"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"x"],
            Deadlines(total=0.05),
            "total_timeout",
            id="total, silence",
        ),
    ],
)
async def test_each_phase_has_its_timeout(
    transport: Transport, pieces: list[bytes], deadlines: Deadlines, words: str
) -> None:
    async def stalling(exchange: Exchange) -> None:
        await exchange.send(*pieces)
        await exchange.hang()

    async with Server(stalling) as server:
        with pytest.raises(UpstreamError, match=words) as caught:
            await get(transport, server, deadlines=deadlines)
        assert caught.value.failure is UpstreamFailure.TIMEOUT
        assert f"127.0.0.1:{server.port}" in caught.value.message
        await server.until(lambda: server.aborted == 1)


@pytest.mark.parametrize(
    ("deadlines", "words"),
    [
        (Deadlines(connect=0.05), r"within 0\.05 s \(connect_timeout\)"),
        (Deadlines(first_token=0.05), r"\(first_token_timeout\)"),
        (Deadlines(total=0.05), r"\(total_timeout\)"),
    ],
)
async def test_opening_a_connection_takes_no_longer_than_is_left(
    transport: Transport, deadlines: Deadlines, words: str
) -> None:
    async with Server(hanging) as server:  # it waits for a request, and speaks no TLS
        url = server.url.replace("http:", "https:")
        with pytest.raises(UpstreamError, match=words) as caught:
            await transport.request("GET", url, deadlines=deadlines)
        assert caught.value.failure is UpstreamFailure.UNREACHABLE
        await server.until(lambda: not server.peers)


async def test_waiting_for_a_connection_counts(transport: Transport) -> None:
    async with Server(hanging) as server:
        one = Deadlines(total=0.3)
        first = asyncio.create_task(
            transport.request("GET", server.url, deadlines=one, max_connections=1)
        )
        await server.until(lambda: len(server.requests) == 1)
        # It gets the connection's room when the first one gives up, and has hardly any time left.
        with pytest.raises(UpstreamError) as caught:
            await transport.request(
                "GET", server.url, deadlines=Deadlines(first_token=0.4, total=30), max_connections=1
            )
        assert caught.value.failure in {UpstreamFailure.TIMEOUT, UpstreamFailure.UNREACHABLE}
        with pytest.raises(UpstreamError, match="total_timeout"):
            await first


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="before the head"),
        pytest.param([b"HTTP/1.1 200 OK\r\n"], id="in the head"),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"], id="before the body"),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"x"], id="in the body"),
    ],
)
async def test_cancelling_hangs_up_in_every_phase(
    transport: Transport, pieces: list[bytes]
) -> None:
    reached = asyncio.Event()

    async def stalling(exchange: Exchange) -> None:
        await exchange.send(*pieces)
        reached.set()
        await exchange.hang()

    async with Server(stalling) as server:
        task = asyncio.create_task(get(transport, server))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda: server.aborted == 1)
    assert transport.connections() == 0


async def test_closing_ends_what_runs(transport: Transport) -> None:
    async with Server(hanging) as server:
        task = asyncio.create_task(get(transport, server))
        await server.until(lambda: len(server.requests) == 1)
        await transport.aclose()
        with pytest.raises(UpstreamError, match="shuts down"):
            await task
        await server.until(lambda: server.aborted == 1)
    assert transport.connections() == 0


async def test_says_that_nobody_listens(transport: Transport) -> None:
    async with Server(hanging) as server:
        port = server.port
    with pytest.raises(UpstreamError, match="refused the connection") as caught:
        await transport.request("GET", f"http://127.0.0.1:{port}/secret?key=secret")
    assert caught.value.failure is UpstreamFailure.UNREACHABLE
    assert f"127.0.0.1:{port}" in caught.value.message
    assert "secret" not in caught.value.message


async def test_says_that_a_name_cannot_be_resolved(transport: Transport) -> None:
    with pytest.raises(UpstreamError, match="resolved") as caught:
        await transport.request("GET", "http://nobody.invalid/")
    assert caught.value.failure is UpstreamFailure.UNREACHABLE


@pytest.mark.parametrize("url", ["ftp://x/", "x", "http://", "http://user:hush@x/", "http://x:a/"])
async def test_refuses_what_is_no_address(transport: Transport, url: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await transport.request("GET", url)
    assert "hush" not in caught.value.message
