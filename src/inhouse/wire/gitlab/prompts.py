"""Bodies of ``/v1/prompts/{id}`` and ``/v2/prompts/{id}``."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Struct

from inhouse.core.delta import Delta, Usage
from inhouse.errors import InvalidValueError
from inhouse.wire.decoding import decode_json
from inhouse.wire.gitlab.model import ModelMetadata
from inhouse.wire.gitlab.versions import is_constraint

AGENT_ONLY = frozenset({"chat/react"})
"""Prompts that are steps of a conversation with tools, which has an endpoint of its own."""


class PromptBody(Struct, frozen=True, kw_only=True):
    """What to do it with. Each version stands for the prompt that we have: ranges name GitLab's."""

    inputs: dict[str, Any] | None = None
    prompt_version: str | None = None
    stream: bool | None = None
    model_metadata: ModelMetadata | None = None


_decoder = msgspec.json.Decoder(PromptBody)


def decode_prompt(raw: bytes) -> PromptBody:
    """Return the body.

    Raises:
        InvalidValueError: a field is missing, or has a wrong type or value.
        RequestError: the body is not JSON.

    """
    body: PromptBody = decode_json(raw, _decoder)
    if body.prompt_version is not None and not is_constraint(body.prompt_version):
        raise InvalidValueError(
            f"Invalid version constraint '{body.prompt_version[:100]}': write a version or a range,"
            " such as '^1.0.0' or '>=1,<3'.",
            param="prompt_version",
        )
    return body


def texts(inputs: dict[str, Any]) -> dict[str, str]:
    """Return each input as it stands in a prompt; raises `InvalidValueError`."""
    try:
        return {
            name: _documents(value) if name == "documents" else text_of(value)
            for name, value in inputs.items()
        }
    except RecursionError:
        raise InvalidValueError(
            "'inputs' is wrong: it is nested too deeply.", param="inputs"
        ) from None


def text_of(value: Any) -> str:
    """Return a text as it is, a list as paragraphs, an object as lines ``name: value``."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return "\n\n".join(map(text_of, cast("list[Any]", value)))
        case dict():
            pairs = cast("dict[str, Any]", value).items()
            return "\n".join(f"{name}: {text_of(each)}" for name, each in pairs)
        case _:
            return msgspec.json.encode(value).decode()


def _documents(value: Any) -> str:
    """Return passages, each with the reference by which GitLab finds its source again."""
    if not isinstance(value, list):
        return text_of(value)
    return "\n\n".join(map(_passage, cast("list[Any]", value)))


def _passage(document: Any) -> str:
    match document:
        case {"id": str() | int() as number, "content": content}:
            return f"{text_of(content)}\nReference: CNT-IDX-{number}"
        case _:
            return text_of(document)


def answer(text: str) -> bytes:
    """Return an answer of version 1: the text as a JSON string."""
    return msgspec.json.encode(text)


def answer_with_usage(text: str, model: str, usage: Usage | None) -> bytes:
    """Return an answer of version 2."""
    return msgspec.json.encode({"content": text, **_usage(model, usage)})


class Lines:
    """A stream of version 2: an object a line, of which the last tells the usage."""

    def __init__(self, model: str) -> None:
        """`model` is what the usage is counted for."""
        self._model = model
        self._last: Usage | None = None

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def encode(self, delta: Delta) -> bytes:
        """Return a line with the delta's text."""
        self._last = delta.usage or self._last
        return msgspec.json.encode({"content": delta.text}) + b"\n" if delta.text else b""

    def end(self) -> bytes:
        """Return the last line."""
        return answer_with_usage("", self._model, self._last) + b"\n"


def _usage(model: str, usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    counts = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return {"usage": {model: counts}}
