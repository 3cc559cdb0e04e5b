"""What upstreams tell about themselves: their models, and how they count tokens."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Struct

from inhouse.core.delta import Served
from inhouse.wire.decoding import UNREADABLE


class _Meta(Struct):
    n_ctx: int | None = None


class _Model(Struct):
    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    max_context_length: int | None = None
    context_length: int | None = None
    context_window: int | None = None
    meta: _Meta | None = None


class _List(Struct):
    data: list[_Model]


class _Tokens(Struct):
    count: int | None = None
    tokens: list[Any] | None = None


_models = msgspec.json.Decoder(_List | list[_Model])
_tokens = msgspec.json.Decoder(_Tokens | list[Any])


def models(body: bytes) -> list[Served]:
    """Read ``/v1/models``; the window as vLLM, llama.cpp (of one slot), Mistral and others tell it.

    Raises one of `UNREADABLE` where it is something else.

    """
    found = cast(_List | list[_Model], _models.decode(body))
    listed = found if isinstance(found, list) else found.data
    return [
        Served(name=model.id, window=_window(model), owner=model.owned_by or "") for model in listed
    ]


def _window(model: _Model) -> int | None:
    return (
        model.max_model_len
        or (model.meta.n_ctx if model.meta is not None else None)
        or model.max_context_length
        or model.context_length
        or model.context_window
    )


def tokenize_body(model: str, text: str) -> bytes:
    """Return a body for ``/tokenize`` that vLLM, SGLang (`prompt`) and llama.cpp (`content`) read.

    Special tokens in the text count as one each; none are added around it.
    """
    return msgspec.json.encode(
        {
            "model": model,
            "prompt": text,
            "add_special_tokens": False,
            "content": text,
            "add_special": False,
            "parse_special": True,
        }
    )


def tokens(body: bytes) -> int | None:
    """Read the number of tokens; None where the answer does not tell it."""
    try:
        found = cast(_Tokens | list[Any], _tokens.decode(body))
    except UNREADABLE:
        return None
    if isinstance(found, list):
        return len(found)
    return len(found.tokens) if found.tokens is not None else found.count
