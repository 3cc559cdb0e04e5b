"""HTTP/1.1 itself: requests however they are cut, one behind the other, and from old callers."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.server import protocol
from inhouse.server import serving as accepting
from tests.server.serving import ADMIN, Served, configuration, route, scripted, serving

CHAT = b'{"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}'
STREAM = CHAT.replace(b'"chat"', b'"chat", "stream": true', 1)
SCRIPT = (
    scripted("quick", tokens=["Hel", "lo"])
    + scripted("held", gate="end", gate_after=1)
    + route("chat", "quick")
)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    async with serving(configuration(tmp_path, SCRIPT)) as running:
        yield running


def request(
    body: bytes, *lines: str, method: str = "POST", path: str = "", version: str = "1.1"
) -> bytes:
    start = [f"{method} {path or '/v1/chat/completions'} HTTP/{version}", "Host: x"]
    framing = [] if "Transfer-Encoding: chunked" in lines else [f"Content-Length: {len(body)}"]
    head = "\r\n".join([*start, f"Authorization: Bearer {ADMIN}", *lines, *framing, "", ""])
    return head.encode() + body


async def talk(served: Served, *sent: bytes) -> bytes:
    """Send pieces, each when the server has had its turn, and return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for piece in sent:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    answer = await reader.read()
    writer.close()
    return answer


CLOSE = "Connection: close"
CHUNKED = b"".join(b"%x\r\n%b\r\n" % (1, CHAT[at : at + 1]) for at in range(len(CHAT)))
THREE = (
    request(CHAT, "X-Request-ID: r1")
    + request(CHUNKED + b"0\r\n\r\n", "X-Request-ID: r2", "Transfer-Encoding: chunked")
    + request(STREAM, "X-Request-ID: r3", CLOSE)
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(1, len(THREE) - 1), max_size=12))
async def test_requests_may_be_cut_anywhere(served: Served, cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(THREE)]
    pieces = [THREE[start:end] for start, end in itertools.pairwise(at)]
    answer = await talk(served, *pieces)
    order = [answer.index(b"x-request-id: r%d" % number) for number in (1, 2, 3)]
    assert order == sorted(order)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.count(b'"content":"Hello"') == 2
    assert answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_more_requests_than_are_read_ahead_are_all_answered(served: Served) -> None:
    many = [request(CHAT, f"X-Request-ID: r{number}.") for number in range(40)]
    answer = await talk(served, b"".join(many) + request(CHAT, CLOSE))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 41
    order = [answer.index(b"x-request-id: r%d." % number) for number in range(40)]
    assert order == sorted(order)


async def test_a_body_larger_than_is_read_ahead_is_read(served: Served) -> None:
    large = CHAT.ljust(1_000_000)
    answer = await talk(served, request(CHAT) + request(large) + request(CHAT, CLOSE))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3


async def test_what_is_wrong_is_told_behind_the_answers_to_what_was_right(served: Served) -> None:
    held = CHAT.replace(b'"chat"', b'"held"')
    asking = asyncio.create_task(talk(served, request(held) + request(CHAT) + b"nonsense\r\n\r\n"))
    gate = served.scripted.gate("end")
    await gate.reached.wait()
    gate.release()
    answer = await asking
    statuses = [each[:3] for each in answer.split(b"HTTP/1.1 ") if each[:3].isdigit()]
    assert statuses == [b"200", b"200", b"400"]


async def test_an_old_caller_reads_until_we_close(served: Served) -> None:
    answer = await talk(served, request(STREAM, version="1.0"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert b"transfer-encoding" not in head
    assert body.endswith(b"data: [DONE]\n\n")


async def test_who_waits_for_our_100_gets_it(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    sent = request(CHAT, "Expect: 100-continue", CLOSE)
    writer.write(sent.removesuffix(CHAT))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(CHAT)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


async def test_who_is_refused_gets_no_100(served: Served) -> None:
    sent = request(CHAT, "Expect: 100-continue", CLOSE).replace(ADMIN.encode(), b"wrong")
    answer = await talk(served, sent.removesuffix(CHAT))
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")


async def test_the_answer_to_head_has_no_body(served: Served) -> None:
    asked = [request(b"", CLOSE, method=each, path="/v1/models") for each in ("HEAD", "GET")]
    (head, _, none), (_, _, body) = [(await talk(served, x)).partition(b"\r\n\r\n") for x in asked]
    assert none == b""
    assert b"content-length: %d\r\n" % len(body) in head


@pytest.mark.parametrize("target", ["http://elsewhere/health?x=1", "/health#part", "/%68ealth"])
async def test_a_target_in_any_form_is_found(served: Served, target: str) -> None:
    answer = await talk(served, request(b"", CLOSE, method="GET", path=target))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_offer_that_we_do_not_take_ends_the_connection(served: Served) -> None:
    offer = request(b"", "Connection: Upgrade", "Upgrade: websocket", method="GET", path="/health")
    answer = await talk(served, offer)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in answer


async def test_each_answer_tells_the_time(served: Served) -> None:
    answer = await talk(served, request(b"", CLOSE, method="GET", path="/health"))
    assert answer.lower().count(b"\r\ndate: ") == 1


async def test_an_idle_connection_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "KEEP_ALIVE", 0.0)
    monkeypatch.setattr(accepting, "SWEEP_EVERY", 0.01)
    async with serving(configuration(tmp_path, SCRIPT)) as served:
        answer = await talk(served, request(CHAT))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1


async def test_a_stop_closes_idle_connections_and_tells_busy_ones(tmp_path: Path) -> None:
    held = CHAT.replace(b'"chat"', b'"held"')
    async with serving(configuration(tmp_path, SCRIPT)) as served:
        idle, other = await asyncio.open_connection("127.0.0.1", served.port)
        busy, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(request(held))
        gate = served.scripted.gate("end")
        await gate.reached.wait()
        asyncio.get_running_loop().call_soon(gate.release)
    assert await idle.read() == b""
    assert b"\r\nconnection: close\r\n" in await busy.read()
    other.close()
    writer.close()
