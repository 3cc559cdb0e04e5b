"""The shapes of ``/v1/embeddings/code_embeddings``."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from inhouse.core.requests import EmbeddingRequest, Params
from inhouse.errors import InvalidValueError
from inhouse.wire.decoding import decode_json
from inhouse.wire.gitlab.model import LISTED, SELF_HOSTED, ModelMetadata
from inhouse.wire.openai.embeddings import Dimensions

PROVIDERS = (SELF_HOSTED, LISTED)
FAMILY = "embedding"
"""The one family of models that embed."""


class EmbeddingsBody(Struct, frozen=True, kw_only=True):
    """The body; `litellm_drop_params` names fields that must not reach the model."""

    contents: tuple[str, ...]
    model_metadata: ModelMetadata | None = None
    dimensions: Dimensions | None = None
    litellm_drop_params: tuple[str, ...] | None = None


def decode_embeddings(raw: bytes) -> EmbeddingsBody:
    """Return the body; raises as `decode_json`, and where the metadata is of no embedding model."""
    body: EmbeddingsBody = decode_json(raw, _decoder)
    metadata = body.model_metadata
    if metadata is not None and metadata != ModelMetadata():
        if metadata.provider not in PROVIDERS:
            raise _wrong("provider", " or ".join(f"'{each}'" for each in PROVIDERS))
        if metadata.name != FAMILY and (metadata.name or metadata.provider != LISTED):
            raise _wrong("name", f"'{FAMILY}'")
    return body


def embedding_request(body: EmbeddingsBody, request_id: str) -> EmbeddingRequest:
    """Return the texts to embed."""
    dropped = "dimensions" in (body.litellm_drop_params or ())
    return EmbeddingRequest(
        texts=body.contents,
        dimensions=None if dropped else body.dimensions,
        params=Params(request_id=request_id),
    )


def answer(vectors: list[list[float]], *, engine: str, name: str, identifier: str) -> bytes:
    """Return the answer as JSON."""
    return msgspec.json.encode(
        {
            "model": {"engine": engine, "name": name, "identifier": identifier},
            "predictions": [
                {"embedding": vector, "index": index} for index, vector in enumerate(vectors)
            ],
        }
    )


def _wrong(field: str, wanted: str) -> InvalidValueError:
    return InvalidValueError(
        f"'model_metadata.{field}' must be {wanted} here.", param=f"model_metadata.{field}"
    )


_decoder = msgspec.json.Decoder(EmbeddingsBody)
