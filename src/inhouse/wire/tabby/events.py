"""What Tabby's clients tell of a suggestion: that it was shown, taken or turned down."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import parse_qs, quote, unquote

import msgspec
from msgspec import Meta, Struct

from inhouse.wire.decoding import decode_json

Label = Annotated[str, Meta(max_length=1024)]

_ID = re.compile(r"cmpl-[0-9a-f]{32}-(.+)")


class EventBody(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/events``; `elapsed` is in milliseconds since it was shown."""

    type: Literal["view", "select", "dismiss"]
    completion_id: Annotated[str, Meta(min_length=1, max_length=1024)]
    choice_index: Annotated[int, Meta(ge=0)]
    view_id: Label | None = None
    elapsed: Annotated[float, Meta(ge=0)] | None = None


_decoder = msgspec.json.Decoder(EventBody)


def completion_id(trace_id: str, deployment: str) -> str:
    """Return the id of a suggestion: of its trace, and of the deployment that made it.

    What becomes of it is told to any process of a gateway, which need not remember it.
    """
    return f"cmpl-{trace_id}-{quote(deployment, safe='')}" if deployment else f"cmpl-{trace_id}"


def deployment(said: str) -> str:
    """Return the deployment that a suggestion's id names, empty where it names none."""
    found = _ID.fullmatch(said)
    return unquote(found[1]) if found else ""


def decode_event(raw: bytes, query: str) -> tuple[str, str]:
    """Return what happened, in one word, and the id of the suggestion.

    `query` is the URL's: ``select_kind=line`` says that only a line was taken.

    Raises:
        InvalidValueError: a member is missing, or has a wrong type or value.
        RequestError: the body is not JSON.

    """
    body: EventBody = decode_json(raw, _decoder)
    a_line = body.type == "select" and parse_qs(query).get("select_kind") == ["line"]
    return "select_line" if a_line else body.type, body.completion_id
