"""Conversations of Tabby's clients: OpenAI's shape, in which the model may be left out."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from inhouse.wire.decoding import UNREADABLE

_members = msgspec.json.Decoder(dict[str, Raw])
_UNSAID = (b'""', b"null")


def with_model(raw: bytes, model: str) -> bytes:
    """Return a body that names a model: its own, else `model`; what is no object stays as it is."""
    try:
        members = _members.decode(raw)
    except UNREADABLE:
        return raw  # whoever decodes it says what is wrong
    if bytes(members.get("model", b"null")) not in _UNSAID:
        return raw
    return msgspec.json.encode({**members, "model": model})
