"""HTTP/1.1 itself: requests however they are cut, one behind the other, and from old callers."""

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import h11
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
    answer = b""
    # Who goes on behind a request to close may be cut off in the middle of a word.
    with contextlib.suppress(ConnectionError):
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        while piece := await reader.read(1 << 16):
            answer += piece
    writer.close()
    return answer


def statuses(answers: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


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


@pytest.mark.parametrize("size", [60_000, 70_000, 140_000, 1_000_000])
async def test_a_body_larger_than_is_read_ahead_is_read(served: Served, size: int) -> None:
    large = CHAT.replace(b"Hi", b"x" * size)
    answer = await talk(served, request(CHAT) + request(large) + request(CHAT, CLOSE))
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3


async def test_what_is_wrong_is_told_behind_the_answers_to_what_was_right(served: Served) -> None:
    held = CHAT.replace(b'"chat"', b'"held"')
    asking = asyncio.create_task(talk(served, request(held) + request(CHAT) + b"nonsense\r\n\r\n"))
    gate = served.scripted.gate("end")
    await gate.reached.wait()
    gate.release()
    answer = await asking
    assert statuses(answer) == [200, 200, 400]


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


@pytest.mark.parametrize("protocol_offered", ["websocket", "h2c", "H2C"])
@pytest.mark.parametrize("cut", [0, 60, 140, -1])
async def test_an_offer_that_we_do_not_take_is_ignored(
    served: Served, protocol_offered: str, cut: int
) -> None:
    body = CHAT.replace(b"Hi", b"\r\nUpgrade: h2c\r\n")  # which no string of JSON's holds
    whole = request(body, "Connection: Upgrade", f"Upgrade: {protocol_offered}")
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    offers = ["Connection: Upgrade", f"Upgrade: {protocol_offered}", "Transfer-Encoding: chunked"]
    sent = whole + request(chunks, *offers) + request(CHAT, CLOSE)
    answer = await talk(served, sent[:cut], sent[cut:])
    assert statuses(answer) == [400, 400, 200]


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


PIECE = b"%x\r\n%b\r\n" % (len(CHAT), CHAT)
WHOLE = f"Content-Length: {len(CHAT)}"
IN_CHUNKS = "Transfer-Encoding: chunked"


def raw(*lines: str, start: str = "POST /v1/chat/completions HTTP/1.1", host: bool = True) -> bytes:
    hosts = ["Host: x"] if host else []
    head = [start, *hosts, f"Authorization: Bearer {ADMIN}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1")


NEXT = request(b"", CLOSE, method="GET", path="/health")
REFUSED = {
    "length and chunks": (raw(WHOLE, IN_CHUNKS) + PIECE + b"0\r\n\r\n", 400),
    "chunks and length": (raw(IN_CHUNKS, "Content-Length: 5") + b"0\r\n\r\n", 400),
    "two lengths": (raw(WHOLE, WHOLE) + CHAT, 400),
    "a list of lengths": (raw(f"{WHOLE}, {len(CHAT)}") + CHAT, 400),
    "a length with a sign": (raw(f"Content-Length: +{len(CHAT)}") + CHAT, 400),
    "a hexadecimal length": (raw(f"Content-Length: {len(CHAT):#x}") + CHAT, 400),
    "an empty length": (raw("Content-Length: ") + CHAT, 400),
    "a length past all words": (raw("Content-Length: " + "9" * 30) + CHAT, 400),
    "a space before the colon": (raw(f"Content-Length : {len(CHAT)}") + CHAT, 400),
    "an unknown coding": (raw("Transfer-Encoding: gzip, chunked") + PIECE + b"0\r\n\r\n", 501),
    "chunks twice": (raw("Transfer-Encoding: chunked, chunked") + PIECE + b"0\r\n\r\n", 400),
    "chunks not last": (raw("Transfer-Encoding: chunked, gzip") + PIECE + b"0\r\n\r\n", 400),
    "identity": (raw("Transfer-Encoding: identity", WHOLE) + CHAT, 501),
    "a folded coding": (raw("Transfer-Encoding:", " chunked") + PIECE + b"0\r\n\r\n", 400),
    "a vertical tab": (raw("Transfer-Encoding: \x0bchunked") + PIECE + b"0\r\n\r\n", 400),
    "0x before a size": (raw(IN_CHUNKS) + b"0x" + PIECE + b"0\r\n\r\n", 400),
    "a space behind a size": (raw(IN_CHUNKS) + PIECE.replace(b"\r", b" \r", 1), 400),
    "a size past all words": (raw(IN_CHUNKS) + b"f" * 17 + b"\r\n", 400),
    "chunks by line feeds": (raw(IN_CHUNKS) + PIECE.replace(b"\r", b""), 400),
    "a chunk longer than its size": (raw(IN_CHUNKS) + b"3\r\nlonger\r\n0\r\n\r\n", 400),
    "line feeds alone": (raw(WHOLE).replace(b"\r", b"") + CHAT, 400),
    "a bare carriage return": (raw("A: b\rC: d", WHOLE) + CHAT, 400),
    "a null": (raw("A: b\0c", WHOLE) + CHAT, 400),
    "a folded header": (raw("A: b", " c", WHOLE) + CHAT, 400),
    "no name": (raw(": b", WHOLE) + CHAT, 400),
    "no host": (raw(WHOLE, host=False) + CHAT, 400),
    "two hosts": (raw("Host: y", WHOLE) + CHAT, 400),
    "a tunnel": (raw(start="CONNECT x:80 HTTP/1.1"), 400),
    "an unknown method": (raw(start="BREW /health HTTP/1.1"), 400),
    "HTTP/0.9": (raw(start="GET /health HTTP/0.9"), 505),
    "HTTP/2 without an offer": (raw(start="GET /health HTTP/2.0"), 505),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_proxies_in_front_may_read_otherwise_ends_the_connection(
    served: Served, sent: bytes, status: int
) -> None:
    assert statuses(await talk(served, sent + NEXT)) == [status]
    assert statuses(await talk(served, request(CHAT) + sent + NEXT)) == [200, status]


TAKEN = {
    "spaces around a length": raw(f"Content-Length:  {len(CHAT)} ") + CHAT,
    "leading zeros": raw(f"Content-Length: 000{len(CHAT)}") + CHAT,
    "any case": raw("TRANSFER-encoding:\tCHUNKED ") + PIECE + b"0\r\n\r\n",
    "extensions": raw(IN_CHUNKS) + PIECE.replace(b"\r", b';a=b;c="d"\r', 1) + b"0;e\r\n\r\n",
    "trailers": raw(IN_CHUNKS) + PIECE + b"0\r\nA: b\r\nContent-Type: text/html\r\n\r\n",
    "empty lines before": b"\r\n\r\n" + raw(WHOLE) + CHAT,
    "a length that is none": raw(f"Content_Length: 3\r\n{WHOLE}") + CHAT,
    "an expectation of old": raw(WHOLE, "Expect: 200-ok") + CHAT,
    "a body nobody wants": raw("Content-Length: 5", start="GET /health HTTP/1.1") + b"hello",
    "a host without a path": raw(start="GET http://x HTTP/1.1"),
}


@pytest.mark.parametrize("sent", TAKEN.values(), ids=TAKEN)
async def test_what_everybody_reads_alike_is_taken(served: Served, sent: bytes) -> None:
    assert statuses(await talk(served, sent + NEXT)) == [200, 200]


async def test_a_trailer_is_no_header(served: Served) -> None:
    without = raw(IN_CHUNKS, "X-Request-ID: mine").replace(ADMIN.encode(), b"no")
    sent = without + PIECE + b"0\r\n"
    sent += f"Authorization: Bearer {ADMIN}\r\nX-Request-ID: other\r\n\r\n".encode()
    answer = await talk(served, sent + NEXT)
    assert statuses(answer) == [401, 200]
    assert b"x-request-id: mine\r\n" in answer


@pytest.mark.parametrize(
    "more", [b"A: b\r\n", b"A" * 1000, b"1;" + b"a" * 1000], ids=["many", "long", "extension"]
)
async def test_trailers_without_end_are_refused(served: Served, more: bytes) -> None:
    begun = raw(IN_CHUNKS) + PIECE + (b"" if more.startswith(b"1") else b"0\r\n")
    pieces = [more[2:] if number and more[1:2] == b";" else more for number in range(200_000)]
    endless = b"".join(pieces)[: 4 * protocol.MAX_BARREN]
    assert statuses(await talk(served, begun + endless)) == [400]


async def test_a_chunk_that_is_wrong_is_told_at_once_behind_others(served: Served) -> None:
    sent = [request(CHAT) + raw(IN_CHUNKS), b"zz\r\n"]
    assert statuses(await talk(served, *sent)) == [200, 400]
    assert statuses(await talk(served, b"".join(sent))) == [200, 400]


async def test_an_old_caller_is_not_asked_for_its_body(served: Served) -> None:
    sent = raw(WHOLE, "Expect: 100-continue", start="POST /v1/chat/completions HTTP/1.0")
    answer = await talk(served, sent, b"", CHAT)
    assert statuses(answer) == [200]


async def test_who_was_not_asked_for_its_body_is_told_that_we_close(served: Served) -> None:
    sent = raw(WHOLE, "Expect: 100-continue").replace(ADMIN.encode(), b"no")
    answer = await talk(served, sent)
    assert statuses(answer) == [401]
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize("lines", [(), (CLOSE,)], ids=["keep-alive", "close"])
async def test_who_sends_all_before_it_reads_hears_why_it_was_refused(
    served: Served, lines: tuple[str, ...]
) -> None:
    large = request(CHAT.ljust(20_000_000), *lines).replace(ADMIN.encode(), b"no")
    answer = await talk(served, large, NEXT)
    assert statuses(answer) == ([401] if lines else [401, 200])


async def test_a_head_far_too_large_is_told_to_who_sends_it_whole(served: Served) -> None:
    assert statuses(await talk(served, raw("A: " + "b" * 20_000_000))) == [431]


@pytest.mark.parametrize("padding", [0, 50_000])
async def test_requests_faster_than_they_are_answered(served: Served, padding: int) -> None:
    # However large a read is, no head that begins in it is taken for larger than it is.
    body = CHAT.ljust(padding)
    count = 2000 if not padding else 40
    answer = await talk(served, request(body) * count + NEXT)
    assert statuses(answer) == [200] * (count + 1)


SOUP = [
    b"GET /health HTTP/1.1\r\n", b"POST /health HTTP/1.0\r\n", b"Host: x\r\n", b"Host : x\r\n",
    b"Content-Length: 3\r\n", b"Content-Length: 03\r\n", b"Content-Length: 4, 4\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n", b"Expect: 100-continue\r\n",
    b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"A: b\r\n", b" c\r\n",
    b"\r\n", b"\n", b"\r", b"abc", b"3\r\nabc\r\n", b"0\r\n", b"0\r\n\r\n", b"\0", b"\xff",
    NEXT,
]  # fmt: skip
GOOD = [
    b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
]


def understood(sent: bytes) -> list[int]:
    """Return the statuses of the requests that h11 reads, which may be more than we take."""
    found: list[int] = []
    while True:
        reader = h11.Connection(h11.SERVER)
        reader.receive_data(sent.lstrip(b"\r\n"))  # as RFC 9112 would have it, and h11 has not
        try:
            while not isinstance(event := reader.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    found.append(405 if event.method == b"POST" else 200)
                elif not isinstance(event, h11.Data):
                    return found
        except h11.RemoteProtocolError:
            return found
        if reader.their_state is h11.MUST_CLOSE:
            return found
        sent = bytes(reader.trailing_data[0])


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.lists(st.sampled_from(GOOD), max_size=3),
    soup=st.lists(st.sampled_from(SOUP), max_size=10),
    cuts=st.lists(st.integers(0, 200), max_size=5),
)
async def test_no_request_is_seen_where_the_standard_has_none(
    served: Served, before: list[bytes], soup: list[bytes], cuts: list[int]
) -> None:
    sent = b"".join([*before, *soup, NEXT])
    at = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    answers = await talk(served, *[sent[start:end] for start, end in itertools.pairwise(at)])
    seen = [status for status in statuses(answers) if status in {200, 405}]
    assert seen == understood(sent)[: len(seen)]
    assert len(seen) >= len(before)
