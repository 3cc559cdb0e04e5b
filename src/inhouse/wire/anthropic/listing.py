"""What upstreams tell about their models, and how they count."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from inhouse.core.delta import Served
from inhouse.wire.decoding import UNREADABLE
from inhouse.wire.openai import listing


class _Model(Struct):
    id: str
    max_input_tokens: int | None = None


class _List(Struct):
    data: list[_Model] = []


class _Count(Struct):
    input_tokens: int


_models = msgspec.json.Decoder(_List)
_count = msgspec.json.Decoder(_Count)


def models(body: bytes) -> list[Served]:
    """Read ``/v1/models``, with windows where they are told; engines have it from OpenAI's dialect.

    Raises one of `UNREADABLE` where it is something else.

    """
    served = listing.models(body)
    told = {each.id: each.max_input_tokens for each in _models.decode(body).data}
    return [
        msgspec.structs.replace(each, window=each.window or told.get(each.name)) for each in served
    ]


def tokens(body: bytes) -> int | None:
    """Read the number of tokens; None where the answer does not tell it."""
    try:
        return _count.decode(body).input_tokens
    except UNREADABLE:
        return None
