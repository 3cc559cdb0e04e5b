"""What is too large, broken or abusive at the HTTP level; and that the connection survives."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from inhouse.server import protocol
from inhouse.server import serving as accepting
from tests.server.serving import ADMIN, Served, configuration, route, scripted, serving

LIMIT = 2048
CHAT = b'{"model": "nobody", "messages": [{"role": "user", "content": "Hi"}]}'


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    limit = f"max_body_bytes = {LIMIT}"
    async with serving(configuration(tmp_path, server=limit)) as running:
        yield running


async def talk(served: Served, sent: bytes) -> bytes:
    """Send bytes, close our side, and return everything that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


def head(*lines: str, path: str = "/v1/chat/completions", close: bool = True) -> bytes:
    last = ["Connection: close"] if close else []
    start = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {ADMIN}"]
    return "\r\n".join([*start, *last, *lines, "", ""]).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def error(answer: bytes) -> dict[str, str]:
    return msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["error"]


async def test_a_body_that_says_it_is_too_large(served: Served) -> None:
    answer = await talk(served, head(f"Content-Length: {LIMIT + 1}") + b"x" * (LIMIT + 1))
    assert status(answer) == 413
    assert "2,048 bytes" in error(answer)["message"]
    assert {trace.status for trace in await served.traces()} == {413}


async def test_a_body_that_grows_too_large_without_saying(served: Served) -> None:
    chunk = b"%x\r\n%b\r\n" % (1024, b" " * 1024)
    answer = await talk(served, head("Transfer-Encoding: chunked") + chunk * 3 + b"0\r\n\r\n")
    assert status(answer) == 413


async def test_a_body_at_the_limit_is_read(served: Served) -> None:
    body = CHAT.ljust(LIMIT)
    answer = await talk(served, head(f"Content-Length: {len(body)}") + body)
    assert (status(answer), error(answer)["code"]) == (404, "model_not_found")


async def test_a_body_in_many_pieces_is_joined(served: Served) -> None:
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in CHAT)
    answer = await talk(served, head("Transfer-Encoding: chunked") + pieces + b"0\r\n\r\n")
    assert (status(answer), error(answer)["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        head("Content-Length: many"),
        head("Content-Length: -1"),
        head("Content-Length: 5", "Content-Length: 6"),
        head("Bad Header: x"),
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"zz\r\n",
    ],
)
async def test_what_is_not_http_is_refused_and_closed(served: Served, sent: bytes) -> None:
    answer = await talk(served, sent)
    assert status(answer) == 400
    assert error(answer)["message"].endswith(".")


@pytest.mark.parametrize(
    "sent",
    [
        head("X-Long: " + "x" * 70_000),
        head(*[f"X-{number}: y" for number in range(300)]),
        b"GET /" + b"x" * 70_000,
    ],
    ids=["long header", "many headers", "long path"],
)
async def test_a_head_without_end_is_refused(served: Served, sent: bytes) -> None:
    assert status(await talk(served, sent)) == 431


async def test_a_later_head_has_the_same_limit(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(head("Content-Length: 2", close=False) + b"{}")
    assert status(await reader.readuntil(b"}}")) == 400
    writer.write(head("X-Long: " + "x" * 70_000))
    assert status(await reader.read()) == 431
    writer.close()


@pytest.mark.parametrize("body", [CHAT, CHAT.replace(b"Hi", b"Upgrade: h2c")])
async def test_an_offer_of_http2_costs_no_body(served: Served, body: bytes) -> None:
    # Java's client and curl make it with their first request.
    offer = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
    first = head(*offer, f"Content-Length: {len(body)}", close=False) + body
    answer = await talk(served, first + head(f"Content-Length: {len(body)}") + body)
    assert answer.count(b"HTTP/1.1 404") == answer.count(b"model_not_found") == 2


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.05)
    monkeypatch.setattr(accepting, "SWEEP_EVERY", 0.01)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /v1/chat", id="half a line"),
        pytest.param(head("Content-Length: 9")[:-2], id="half a head"),
        pytest.param(head("Content-Length: 9") + b"{", id="half a body"),
        pytest.param(head("Transfer-Encoding: chunked") + b"9;" + b"x" * 99, id="half a chunk"),
        pytest.param(
            head(f"Content-Length: {len(CHAT)}", close=False) + CHAT + b"POST /v1",
            id="half a second one",
        ),
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_a_request_that_does_not_end_is_refused(tmp_path: Path, sent: bytes) -> None:
    async with serving(configuration(tmp_path)) as served:
        answer = await talk(served, sent)
        assert b"HTTP/1.1 408 " in answer
        assert answer.endswith(b'"code":"too_slow"}}')


@pytest.mark.usefixtures("impatient")
async def test_a_body_that_goes_on_behind_its_answer_is_left(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path)) as served:
        answer = await talk(served, head(f"Content-Length: {10**9}", close=False) + b"{")
        assert answer.count(b"HTTP/1.1") == 1
        assert status(answer) == 413


@pytest.mark.usefixtures("impatient")
async def test_a_reader_that_stops_is_left(tmp_path: Path) -> None:
    lots = scripted("lots", tokens=["x" * 10_000] * 5000, delay=0.0001) + route("chat", "lots")
    body = b'{"model": "chat", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}'
    async with serving(configuration(tmp_path, lots)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1)
        writer.write(head(f"Content-Length: {len(body)}") + body)
        await reader.read(1)
        await served.scripted.calls[0].ended.wait()
        writer.close()
        assert [trace.status for trace in await served.traces()] == [499]


@pytest.mark.usefixtures("impatient")
async def test_an_answer_may_take_its_time(tmp_path: Path) -> None:
    held = scripted("held", gate="end", gate_after=1) + route("chat", "held")
    body = b'{"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}'
    async with serving(configuration(tmp_path, held)) as served:
        asking = asyncio.create_task(talk(served, head(f"Content-Length: {len(body)}") + body))
        gate = served.scripted.gate("end")
        await gate.reached.wait()
        for _ in range(3):  # each of these is refused, so the sweeper has come by
            assert status(await talk(served, b"POST")) == 408
        gate.release()
        assert status(await asking) == 200


async def test_a_refusal_keeps_the_connection(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for _ in range(3):
        large = head(f"Content-Length: {LIMIT + 1}", close=False) + b"x" * (LIMIT + 1)
        writer.write(large)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert status(answer) == 413
        length = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    first = head("Content-Length: 2", "X-Request-ID: one", close=False) + b"{}"
    second = head("Content-Length: 2", "X-Request-ID: two") + b"{}"
    answer = await talk(served, first + second)
    assert answer.index(b"x-request-id: one") < answer.index(b"x-request-id: two")


async def test_the_server_does_not_name_itself(served: Served) -> None:
    assert b"\r\nserver:" not in (await talk(served, head("Content-Length: 0"))).lower()


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [("r-1", True), ("x" * 255, True), ("x" * 256, False), ("a b", False), ("\u00e9", False)],
)
async def test_a_sane_request_id_is_echoed(served: Served, sent: str, echoed: bool) -> None:
    reply = await served.ask("GET", "/v1/models", headers={"X-Request-ID": sent})
    assert (reply.headers["x-request-id"] == sent) is echoed
    (trace,) = await served.traces()
    assert trace.request_id == reply.headers["x-request-id"]
    if not echoed:
        assert trace.request_id == trace.id


async def test_an_answer_that_nobody_reads_waits_however_fast_it_comes(tmp_path: Path) -> None:
    lots = scripted("lots", tokens=["x" * 10_000] * 5000) + route("chat", "lots")
    body = b'{"model": "chat", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}'
    async with serving(configuration(tmp_path, lots)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1)
        writer.write(head(f"Content-Length: {len(body)}") + body)
        await reader.read(1)
        assert (await served.ask("GET", "/health")).status == 200
        assert not served.scripted.calls[0].ended.is_set()
        writer.close()
