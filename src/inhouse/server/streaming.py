"""Send an answer in pieces, in whatever form a dialect has for it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from inhouse.core.delta import Delta
from inhouse.server.errors import Headers
from inhouse.server.exchange import Exchange


class Encoder(Protocol):
    """Makes the bytes of one streamed answer."""

    def begin(self) -> bytes:
        """Return what stands before the first delta."""
        ...

    def encode(self, delta: Delta) -> bytes:
        """Return what a delta becomes; nothing where its clients need not know of it."""
        ...

    def end(self) -> bytes:
        """Return what stands behind the last delta."""
        ...


async def stream(
    exchange: Exchange,
    deltas: AsyncGenerator[Delta],
    encoder: Callable[[], Encoder],
    kind: bytes,
    headers: Headers = (),
) -> None:
    """Send the deltas as they come; the head waits for the first, so that a failure has its status.

    The encoder is made behind the first delta, when it is known who answers.
    """
    async with contextlib.aclosing(deltas):
        first = await anext(deltas, None)
        encoding = encoder()
        await exchange.begin_stream(kind, headers)
        opening = encoding.begin()
        if first is not None:
            opening += encoding.encode(first)
        if opening:
            await exchange.write(opening)
        async for delta in deltas:
            piece = encoding.encode(delta)
            if piece:
                await exchange.write(piece)
    await exchange.end(encoding.end())
