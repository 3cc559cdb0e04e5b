"""Any split of an answer gives the same result; any cut of it gives an error."""

import asyncio
import gc
import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import HttpClient
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport import Transport
from inhouse.transport.connection import Connection
from inhouse.transport.response import Response
from tests.fakes.http import Exchange, Server, chunked

LIMIT = 1 << 24
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
SHORT = HEAD + b"content-length: 11\r\n\r\nhello world"
PIECES = HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(b"hello", b" ", b"world")


class Shelf:
    """Owns a connection for a test."""

    def __init__(self) -> None:
        self.freed_count = 0

    def freed(self, connection: Connection) -> None:
        assert not connection.closed
        self.freed_count += 1

    def lost(self, connection: Connection) -> None:
        pass


async def get(transport: Transport, url: str) -> bytes:
    response = await transport.request("GET", url)
    return await response.read(LIMIT)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


pieces_of_body = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
header_value = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int, dict[str, str], bytes]:
    """Return an answer's bytes, and what is in it."""
    status = draw(st.sampled_from([200, 201, 400, 404, 429, 500, 503]))
    headers = {f"x-{i}": value for i, value in enumerate(draw(st.lists(header_value, max_size=4)))}
    pieces = draw(pieces_of_body)
    body = b"".join(pieces)
    foreword = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    if draw(st.booleans()):
        headers["content-length"] = str(len(body))
        encoded = body
    else:
        headers["transfer-encoding"] = "chunked"
        encoded = chunked(*pieces)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        foreword + f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + encoded,
        status,
        headers,
        body,
    )


@given(answer=answers(), cuts=st.lists(st.integers(min_value=0, max_value=400), max_size=12))
async def test_any_split_gives_the_same_answer(
    answer: tuple[bytes, int, dict[str, str], bytes], cuts: list[int]
) -> None:
    raw, status, headers, body = answer
    shelf = Shelf()
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        _, connection = await loop.create_connection(lambda: Connection(loop, shelf), sock=ours)
        response = Response("here", Deadlines(), loop)
        assert connection.send(b"", response)
        edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
        for start, end in pairwise(edges):
            if start < end:
                connection.data_received(raw[start:end])
        assert (response.status, await response.read(LIMIT)) == (status, body)
        assert response.headers == headers
        assert shelf.freed_count == 1
        connection.abort()
        await asyncio.sleep(0)


@pytest.mark.parametrize("answer", [SHORT, PIECES], ids=["length", "chunked"])
@pytest.mark.parametrize("end", [Exchange.reset, Exchange.close], ids=["reset", "close"])
async def test_a_cut_at_any_byte_is_an_error(
    transport: Transport, answer: bytes, end: Callable[[Exchange], None]
) -> None:
    async def cutting(exchange: Exchange) -> None:
        offset = int(exchange.request.target.removeprefix("/"))
        if offset:
            await exchange.send(answer[:offset])
        end(exchange)

    async with Server(cutting) as server:
        for offset in range(len(answer)):
            with pytest.raises(UpstreamError) as caught:
                await get(transport, f"{server.url}/{offset}")
            assert caught.value.failure is UpstreamFailure.CLOSED, offset
        await server.until(lambda: not server.peers)
        assert len(server.requests) == len(answer)
    assert transport.connections() == 0


async def test_nothing_is_left_behind_by_many_faults(http_client: HttpClient) -> None:
    async def misbehaving(exchange: Exchange) -> None:
        match int(exchange.request.target.removeprefix("/")) % 6:
            case 0:
                exchange.reset()
            case 1:
                await exchange.send(b"garbage\r\n\r\n")
            case 2:
                await exchange.send(SHORT[:-3])
                exchange.close()
            case 3:
                await exchange.send(SHORT)
            case 4:
                await exchange.send(PIECES[:-9])
                await exchange.hang()
            case _:
                await exchange.hang()

    async def ask(number: int) -> None:
        hasty = Deadlines(first_token=0.05, between_tokens=0.05)
        deadlines = Deadlines() if number % 6 == 3 else hasty
        response = await transport.request("GET", f"{server.url}/{number}", deadlines=deadlines)
        await response.read(LIMIT)

    transport = Transport(http_client=http_client)
    gc.collect()
    async with Server(misbehaving) as server:
        await asyncio.gather(*(ask(number) for number in range(12)), return_exceptions=True)
        before = open_files(), len(asyncio.all_tasks())
        results: list[BaseException | None] = []
        for _ in range(20):
            results += await asyncio.gather(
                *(ask(number) for number in range(12)), return_exceptions=True
            )
        assert results.count(None) == 40
        assert all(each is None or isinstance(each, UpstreamError) for each in results)
        await server.until(lambda: len(server.peers) <= 2)
        after = open_files(), len(asyncio.all_tasks())
    await transport.aclose()
    assert after[0] <= before[0] + 4
    assert after[1] <= before[1] + 4
    assert transport.connections() == 0
