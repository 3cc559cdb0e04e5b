"""What a client of this dialect asks and reads, the other way round."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from inhouse.core.delta import Answer, Choice
from inhouse.core.requests import CompletionRequest


class _Choice(Struct):
    text: str
    index: int = 0


class _Answer(Struct):
    choices: list[_Choice]


_answers = msgspec.json.Decoder(_Answer)


def completion_body(request: CompletionRequest) -> bytes:
    """Return the JSON that asks for a completion."""
    segments = {
        "prefix": request.prefix,
        "suffix": request.suffix,
        "filepath": request.path or None,
    }
    return msgspec.json.encode({"language": request.language or None, "segments": segments})


def completion(raw: bytes) -> Answer:
    """Return an answer, which tells no tokens; raises `DecodeError`."""
    choices = tuple(
        Choice(text=each.text, index=each.index) for each in _answers.decode(raw).choices
    )
    return Answer(choices=choices)
