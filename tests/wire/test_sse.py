"""Server-sent events: any line ends, any split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.wire.sse import Decoder, EventTooLargeError, event

LINE_ENDS = [b"\n", b"\r\n", b"\r"]

values = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\ufeff"), min_size=1, max_size=20
).map(lambda text: text.encode())


def decoded(*pieces: bytes) -> list[bytes]:
    decoder = Decoder()
    return [each for piece in pieces for each in decoder.feed(piece)] + decoder.finish()


def cut(raw: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(at % (len(raw) + 1) for at in cuts), len(raw)]
    return [raw[start:end] for start, end in pairwise(edges)]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Return a stream in one of the line ends, and the data of its events."""
    end = draw(st.sampled_from(LINE_ENDS))
    raw = b""
    expected: list[bytes] = []
    for lines in draw(st.lists(st.lists(values, min_size=1, max_size=3), max_size=5)):
        written: list[bytes] = []
        for line in lines:
            noise = [b": ping", b"event: x", b"id: 7", b"retry: 3", b"nonsense"]
            written += draw(st.lists(st.sampled_from(noise), max_size=2))
            blank = b" " if line.startswith(b" ") or draw(st.booleans()) else b""
            written.append(b"data:" + blank + line)
        raw += end.join([*written, b"", b""])
        raw += draw(st.sampled_from([b"", end, b": ping" + end + end]))
        expected.append(b"\n".join(lines))
    return raw, expected


@given(streams(), st.lists(st.integers(min_value=0, max_value=500), max_size=20))
def test_any_split_gives_the_same_events(
    stream: tuple[bytes, list[bytes]], cuts: list[int]
) -> None:
    raw, expected = stream
    assert decoded(*cut(raw, cuts)) == expected
    assert decoded(*(raw[at : at + 1] for at in range(len(raw)))) == expected


@given(st.lists(st.binary(max_size=30)))
def test_anything_can_be_fed(pieces: list[bytes]) -> None:
    decoded(*pieces)


def test_an_event_comes_as_soon_as_it_is_complete() -> None:
    for end in LINE_ENDS:
        decoder = Decoder()
        assert decoder.feed(b"data: a" + end) == []
        assert decoder.feed(end) == [b"a"]


def test_an_event_without_data_is_none() -> None:
    assert decoded(b": ping\n\n", b"event: ping\n\n", b"\n\n\n") == []


def test_empty_data_is_an_event() -> None:
    assert decoded(b"data\n\n", b"data:\n\n", b"data: \n\n") == [b"", b"", b""]


def test_the_last_event_may_lack_its_blank_line() -> None:
    assert decoded(b"data: a\n\ndata: b") == [b"a", b"b"]


def test_a_byte_order_mark_is_no_part_of_the_data() -> None:
    assert decoded(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]


def test_an_event_without_end_is_refused() -> None:
    decoder = Decoder(limit=100)
    assert decoder.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"x" * 90)


def test_writes_what_it_reads() -> None:
    assert decoded(event(b'{"a": 1}'), event(b"[DONE]")) == [b'{"a": 1}', b"[DONE]"]
