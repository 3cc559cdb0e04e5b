"""Reading a body that comes in pieces."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.errors import TooLargeError
from inhouse.server.asgi import Message, Receive
from inhouse.server.body import read_body


def receiving(pieces: Iterable[bytes]) -> Receive:
    left = list(pieces)

    async def receive() -> Message:
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    return receive


async def read(pieces: Iterable[bytes], limit: int) -> bytes:
    receive = receiving(pieces)
    return await read_body(receive, declared=None, limit=limit)


@given(st.lists(st.binary(), min_size=1))
async def test_pieces_are_joined(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert await read(pieces, len(whole)) == whole


@given(st.lists(st.binary(min_size=1), min_size=1))
async def test_one_byte_too_many_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(TooLargeError):
        await read(pieces, len(b"".join(pieces)) - 1)


async def test_a_declared_length_is_refused_unread() -> None:
    receive = receiving([])
    with pytest.raises(TooLargeError):
        await read_body(receive, declared=b"11", limit=10)
