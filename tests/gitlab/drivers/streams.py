"""Streams as GitLab's language server reads them."""

import codecs
import json
from collections.abc import AsyncIterator
from typing import Any


class BrokenStreamError(Exception):
    """A stream ended without its end, or holds what the language server refuses."""


async def text_pieces(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield unframed text; a character may come in two pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    async for piece in pieces:
        text = decoder.decode(piece)
        if text:
            yield text
    if decoder.getstate()[0]:
        raise BrokenStreamError("The text ends within a character.")


async def sse_pieces(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the text of ``content_chunk`` events, of choice 0."""
    began = False
    async for name, data in _events(pieces):
        match name:
            case "stream_start":
                began = True
                _check_start(data)
            case "content_chunk" if began:
                for choice in data["choices"]:
                    if not isinstance(choice["index"], int):
                        raise BrokenStreamError(f"A choice without an index: {choice}")
                    if choice["index"] == 0:
                        yield choice["delta"]["content"]
            case "stream_end" if began:
                return
            case _:
                raise BrokenStreamError(f"The event {name} where it has no place.")
    raise BrokenStreamError("There is no stream_end.")


def _check_start(data: Any) -> None:
    model = data["metadata"].get("model")
    if model is not None and not all(isinstance(model[name], str) for name in ("engine", "name")):
        raise BrokenStreamError(f"A model without engine or name: {model}")


async def _events(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, Any]]:
    name, data, rest = "message", "", ""
    async for text in text_pieces(pieces):
        *lines, rest = (rest + text).replace("\r\n", "\n").split("\n")
        for line in lines:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line and data:
                yield name, json.loads(data)
                name, data = "message", ""
            elif field == "event":
                name = value
            elif field == "data":
                data += value
    if data or rest:
        raise BrokenStreamError("The stream ends within an event.")
