"""Both HTTP clients make the same of whatever a server sends, in whatever pieces.

What they differ in is listed in `Difference`; nothing else may differ.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from inhouse.core.ports import HttpClient
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport import Transport
from tests.fakes.http import chunked

LIMIT = 1 << 20
USED = ("content-type", "retry-after", "content-length", "transfer-encoding", "x-request-id")


class Difference(Enum):
    """What the clients may make different things of, and why."""

    FORGIVEN = (
        "aiohttp parses leniently outside of its development mode: lines that end in LF alone,"
        " folded header fields, odd characters, spaces behind a chunk's size. We refuse them, as"
        " servers and proxies that disagree about such things let requests be smuggled."
    )
    BEHIND = (
        "Where something improper follows an answer in the same read, aiohttp refuses the answer"
        " too. We deliver it, as it was complete, and close the connection."
    )
    UNREAD = (
        "Where an answer breaks off, aiohttp forgets what has come and was not read yet, be it the"
        " head. We hand it over before the error."
    )


class Stream(NamedTuple):
    """What a server sends, whether it is proper up to its cut, and how it may differ."""

    raw: bytes
    allowed: frozenset[Difference]


class Outcome(NamedTuple):
    """What a client makes of it."""

    status: int
    headers: tuple[str, ...]
    body: bytes
    failure: UpstreamFailure | None


class Player:
    """Sends each client the same pieces, whatever it asks, and closes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        server = await asyncio.start_server(self._play, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def outcome(http_client: HttpClient, port: int) -> Outcome:
    """Ask, read piece by piece, and tell what became of it."""
    transport = Transport(http_client=http_client)
    status, headers, body = 0, (), b""
    try:
        response = await transport.request("GET", f"http://127.0.0.1:{port}/")
        status, headers = response.status, tuple(map(response.header, USED))
        while data := await response.next():
            body += data
    except UpstreamError as error:
        return Outcome(status, headers, body, error.failure)
    finally:
        await transport.aclose()
    return Outcome(status, headers, body, None)


def agree(stream: Stream, ours: Outcome, theirs: Outcome) -> bool:
    """Tell whether two outcomes are the same, but for what may differ."""
    if ours == theirs:
        return True
    if ours.failure is None:
        return Difference.BEHIND in stream.allowed and theirs.failure is UpstreamFailure.PROTOCOL
    if ours.failure is UpstreamFailure.PROTOCOL and Difference.FORGIVEN in stream.allowed:
        return True
    return ours.failure is theirs.failure and ours.body.startswith(theirs.body)  # UNREAD


name = st.sampled_from(["x-a", "X-Request-Id", "Content-Type", "content-type", "retry-after"])
value = st.one_of(
    st.sampled_from(["", "7", "text/event-stream", "a, b", "a\tb", "\u00e4\u00ff", '"q;=', ":"]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20),
)
space = st.sampled_from(["", " ", "  ", "\t", " \t "])


@st.composite
def proper_fields(draw: st.DrawFn) -> bytes:
    return f"{draw(name)}:{draw(space)}{draw(value)}{draw(space)}\r\n".encode("latin-1")


odd_field = st.sampled_from(
    [
        b"x-folded: a\r\n  b\r\n",
        b"x-lf: a\n",
        b"x-cr: a\rb\r\n",
        b"x space: a\r\n",
        b"x-space : a\r\n",
        b"no colon\r\n",
        b": no name\r\n",
        b"x-nul: a\0b\r\n",
        b" x-first: a\r\n",
        "x-\u00e4: a\r\n".encode("latin-1"),
    ]
)
foreword = st.sampled_from(
    [
        b"",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\nx: y\r\n\r\n",
    ]
)
proper_line = st.sampled_from(
    [b"HTTP/1.1 %d OK", b"HTTP/1.1 %d ", b"HTTP/1.1 %d", b"HTTP/1.0 %d OK", b"HTTP/1.1 %d \xfc b"]
)
odd_line = st.sampled_from(
    [b"HTTP/2.0 %d OK", b"http/1.1 %d OK", b"HTTP/1.1  %d OK", b"HTTP/1.1 %dx", b"HTTP/1 %d OK"]
)
status = st.sampled_from([200, 201, 204, 205, 206, 304, 307, 400, 404, 429, 500, 503, 599])
odd_framing = st.sampled_from(
    [
        b"content-length: 5\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: 5, 5\r\n",
        b"content-length: +5\r\n",
        b"content-length: -5\r\n",
        b"content-length: 0x5\r\n",
        b"content-length: \r\n",
        b"content-length: 99999999999999999999999\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"transfer-encoding: chunked, gzip\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked, chunked\r\n",
        b"transfer-encoding: identity\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding:\tCHUNKED \r\n",
    ]
)
odd_body = st.sampled_from(
    [
        b"hello",
        b"",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"zz\r\nhello\r\n",
        b"5\r\nhelloo\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5;\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\nx: y\r\n z\r\n\r\n",
    ]
)


@st.composite
def chunks(draw: st.DrawFn, data: bytes) -> bytes:
    """Return a body in chunks, with what may be around them."""
    cut = draw(st.integers(0, len(data)))
    size = draw(st.sampled_from([b"%x", b"%X", b"%04x"]))
    extension = draw(st.sampled_from([b"", b";a=b", b";a", b';a="b;c"', b";" + b"e" * 300]))
    trailers = draw(st.sampled_from([b"", b"x-checksum: 1\r\n", b"a: b\r\nc: d\r\n"]))
    parts = [part for part in (data[:cut], data[cut:]) if part]
    whole = b"".join(size % len(part) + extension + b"\r\n" + part + b"\r\n" for part in parts)
    return whole + b"0" + extension + b"\r\n" + trailers + b"\r\n"


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Return an answer: proper, odd in one thing or several, cut, garbled, or with a tail."""
    allowed = {Difference.UNREAD}
    data = draw(st.binary(max_size=60))
    odd = draw(st.booleans())
    line = draw(st.one_of(proper_line, odd_line) if odd else proper_line)
    fields = draw(
        st.lists(st.one_of(proper_fields(), odd_field) if odd else proper_fields(), max_size=6)
    )
    framings = [
        (b"content-length: %d\r\n" % len(data), data),
        (b"Transfer-Encoding: chunked\r\n", draw(chunks(data))),
        (b"", data),
        (b"connection: close\r\n", data),
    ]
    if odd:
        allowed |= {Difference.FORGIVEN, Difference.BEHIND}
        framings.append((draw(odd_framing), draw(odd_body)))
    framing, body = draw(st.sampled_from(framings))
    fields.insert(draw(st.integers(0, len(fields))), framing)
    code = draw(status)
    if code in {204, 304} and body:
        allowed.add(Difference.BEHIND)  # neither has a body
    raw = draw(foreword) + line % code + b"\r\n" + b"".join(fields) + b"\r\n" + body
    if draw(st.booleans()):
        raw = raw[: draw(st.integers(0, len(raw)))]
    elif draw(st.booleans()):
        allowed.add(Difference.BEHIND)
        raw += draw(st.sampled_from([b"garbage", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\0"]))
    return Stream(raw, frozenset(allowed))


@st.composite
def garbled(draw: st.DrawFn) -> Stream:
    """Return an answer with some bytes changed, or no answer at all."""
    if draw(st.booleans()):
        return Stream(draw(st.binary(max_size=200)), frozenset(Difference))
    raw = bytearray(draw(streams()).raw)
    for at in draw(st.lists(st.integers(0, max(len(raw) - 1, 0)), max_size=3)):
        raw[at : at + 1] = draw(st.binary(max_size=2))
    return Stream(bytes(raw), frozenset(Difference))


cuts = st.lists(st.integers(min_value=0, max_value=600), max_size=8)


@given(stream=st.one_of(streams(), garbled()), cuts=cuts)
@example(Stream(b"", frozenset()), [])
@example(Stream(b"HTTP/1.1 200 OK\r\n\r\n", frozenset()), [3])
@example(
    Stream(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"a"), frozenset()),
    list(range(60)),
)
async def test_the_clients_agree(stream: Stream, cuts: list[int]) -> None:
    raw = stream.raw
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    player = Player()
    player.pieces = [raw[start:end] for start, end in pairwise(edges) if start < end]
    async with player.serving():
        ours, theirs = await asyncio.gather(
            outcome("httptools", player.port), outcome("aiohttp", player.port)
        )
    assert agree(stream, ours, theirs), (ours, theirs)
