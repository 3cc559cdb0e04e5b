"""Embeddings in the OpenAI dialect: what we ask upstreams, and what callers ask us."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from inhouse.core.delta import Embedded, Usage
from inhouse.core.requests import EmbeddingRequest, Params
from inhouse.errors import InvalidValueError
from inhouse.wire.decoding import decode_json
from inhouse.wire.openai.inbound import IGNORED, Model
from inhouse.wire.openai.outbound import MOST_TOKENS, ReportedError

Dimensions = Annotated[int, Meta(ge=1, le=65536)]
_LARGEST = 3.4e38
_Coordinate = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
"""What four bytes can hold: most clients ask for vectors of those."""


class EmbeddingBody(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/embeddings``."""

    model: Model
    input: str | list[Any]
    dimensions: Dimensions | None = None
    encoding_format: Literal["float", "base64"] | None = None


def decode_embedding(raw: bytes) -> tuple[EmbeddingBody, dict[str, Any]]:
    """Return the body and the fields to hand on; raises as `decode_json`."""
    body: EmbeddingBody = decode_json(raw, _body)
    fields: dict[str, Any] = decode_json(raw, _fields)
    return body, {name: value for name, value in fields.items() if name not in _NOT_HANDED_ON}


def embedding_request(body: EmbeddingBody, params: Params) -> EmbeddingRequest:
    """Return the texts to embed; raises `InvalidValueError` for tokens, and where there are none.

    Empty texts are refused as well: upstreams differ in what they make of them.
    """
    given: list[Any] = [body.input] if isinstance(body.input, str) else body.input
    texts = tuple(each for each in given if isinstance(each, str) and each)
    if not texts or len(texts) < len(given):
        raise InvalidValueError(
            "'input' must be a text, or a list of texts, none of them empty."
            " Token numbers are not taken: each deployment has its own tokens.",
            param="input",
        )
    return EmbeddingRequest(texts=texts, dimensions=body.dimensions, params=params)


def embedding_answer(embedded: Embedded, model: str, *, packed: bool) -> bytes:
    """Return the answer as JSON; `packed` vectors are little-endian float32 in base64."""
    usage = embedded.usage or Usage()
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [
                {
                    "object": "embedding",
                    "index": index,
                    "embedding": _packed(vector) if packed else vector,
                }
                for index, vector in enumerate(embedded.vectors)
            ],
            "model": model,
            "usage": {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens},
        }
    )


def embeddings_body(
    model: str, texts: Sequence[str], dimensions: int | None, params: Params
) -> bytes:
    """Return the JSON for an upstream's ``/v1/embeddings``."""
    fields = params.extra | {"model": model, "input": texts}
    if dimensions is not None:
        fields["dimensions"] = dimensions
    return msgspec.json.encode(fields)


def read_embeddings(body: bytes, texts: int) -> Embedded:
    """Read an upstream's answer for so many texts.

    Raises:
        ReportedError: it is an error.
        `UNREADABLE`: it is no JSON, or not of the dialect.

    """
    answer = _answer.decode(body)
    if answer.error is not None:
        raise ReportedError(body)
    vectors = {each.index: each.embedding for each in answer.data}
    if vectors.keys() != set(range(texts)) or len(answer.data) != texts:
        raise msgspec.ValidationError("There is not one vector for each text.")
    ordered = [vectors[index] for index in range(texts)]
    if len({len(vector) for vector in ordered}) != 1 or not ordered[0]:
        raise msgspec.ValidationError("The vectors are not of one length.")
    return Embedded(vectors=ordered, usage=_usage(answer.usage))


class _Vector(Struct):
    index: int
    embedding: list[_Coordinate]


class _Usage(Struct):
    prompt_tokens: int | None = None


class _Answer(Struct):
    data: list[_Vector] = []
    usage: _Usage | None = None
    error: Any = None


def _usage(told: _Usage | None) -> Usage | None:
    if told is None or not told.prompt_tokens:
        return None
    return Usage(prompt_tokens=min(max(0, told.prompt_tokens), MOST_TOKENS))


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


_NOT_HANDED_ON = IGNORED | frozenset(EmbeddingBody.__struct_fields__)
_body = msgspec.json.Decoder(EmbeddingBody)
_fields = msgspec.json.Decoder(dict[str, Any])
_answer = msgspec.json.Decoder(_Answer)
