"""The shapes of ``/v1/search/gitlab-docs``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from inhouse.wire.decoding import decode_json

PAGE_SIZE = 4

Short = Annotated[str, Meta(max_length=100)]


class Sender(Struct, frozen=True, kw_only=True):
    """What asks."""

    source: Short | None = None
    version: Short | None = None


class Query(Struct, frozen=True, kw_only=True):
    """What is looked for, and how many passages are wanted; `PAGE_SIZE` where it is not said."""

    query: Annotated[str, Meta(max_length=400_000)]
    page_size: Annotated[int, Meta(ge=1, le=20)] | None = None


class SearchBody(Struct, frozen=True, kw_only=True):
    """The body; `type` is always ``search``."""

    type: Short | None = None
    metadata: Sender | None = None
    payload: Query


class About(Struct, frozen=True, kw_only=True):
    """Where a passage is from."""

    source_url: str
    title: str
    filename: str


class Result(Struct, frozen=True, kw_only=True):
    """A passage."""

    id: str
    content: str
    metadata: About


def decode_search(raw: bytes) -> Query:
    """Return what is looked for; raises as `decode_json`."""
    return decode_json(raw, _decoder).payload


def answer(results: Iterable[Result], timestamp: int) -> bytes:
    """Return the answer as JSON; `timestamp` is a Unix time in seconds."""
    return msgspec.json.encode(
        {
            "response": {"results": list(results)},
            "metadata": {"provider": "sqlite", "timestamp": timestamp},
        }
    )


_decoder = msgspec.json.Decoder(SearchBody)
