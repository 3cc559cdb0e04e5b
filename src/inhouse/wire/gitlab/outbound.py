"""What a client asks at ``/v2/code/completions`` and reads there, the other way round."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from inhouse.core.delta import Answer, Choice, Usage
from inhouse.core.requests import CompletionRequest


class _Tokens(Struct):
    input_tokens: int = 0
    output_tokens: int = 0


class _Model(Struct):
    tokens_consumption_metadata: _Tokens | None = None


class _Choice(Struct):
    text: str
    index: int = 0


class _Answer(Struct):
    model: _Model
    choices: list[_Choice]


class _Entry(Struct):
    msg: str


class _Refusal(Struct):
    error: str = ""
    detail: str | list[_Entry] = ""


_answers = msgspec.json.Decoder(_Answer)
_refusals = msgspec.json.Decoder(_Refusal)


def completion_body(request: CompletionRequest) -> bytes:
    """Return the JSON that asks for a completion in one piece."""
    file = {
        "file_name": request.path,
        "content_above_cursor": request.prefix,
        "content_below_cursor": request.suffix,
    }
    return msgspec.json.encode({"prompt_version": 1, "current_file": file, "stream": False})


def completion(raw: bytes) -> Answer:
    """Return an answer, without choices where nothing is suggested; raises `DecodeError`."""
    found = _answers.decode(raw)
    tokens = found.model.tokens_consumption_metadata
    usage = None
    if tokens is not None:
        usage = Usage(prompt_tokens=tokens.input_tokens, completion_tokens=tokens.output_tokens)
    choices = tuple(Choice(text=each.text, index=each.index) for each in found.choices)
    return Answer(choices=choices, usage=usage)


def refusal(raw: bytes) -> str:
    """Return what an error says, empty where it is none of the dialect's."""
    try:
        found = _refusals.decode(raw)
    except msgspec.DecodeError:
        return ""
    if isinstance(found.detail, str):
        return found.detail or found.error
    return found.detail[0].msg if found.detail else ""
