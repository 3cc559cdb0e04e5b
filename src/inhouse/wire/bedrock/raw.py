"""InvokeModel with a raw prompt: each vendor has a body of its own.

``mistral``: ``prompt, max_tokens, stop`` and ``outputs[].text, stop_reason``. ``llama``: ``prompt,
max_gen_len`` and ``generation, stop_reason``, without stop sequences. ``openai``: what imported
models take, ``prompt, max_tokens, stop`` and ``choices[].text, finish_reason``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, field

from inhouse.core.delta import Delta, Usage
from inhouse.core.requests import Params
from inhouse.wire.bedrock.answers import tokens

_MISTRAL = re.compile(r"mistral\.(?:mistral-7b|mixtral|mistral-large-2402|mistral-small-2402)")
_LLAMA = re.compile(r"meta\.llama")
_encode = msgspec.json.Encoder().encode


class Raw(StrEnum):
    """A vendor's shape of requests and answers."""

    MISTRAL = "mistral"
    LLAMA = "llama"
    OPENAI = "openai"


def raw_shape(base: str) -> Raw | None:
    """Return how a foundation model takes a raw prompt; None where it takes conversations only."""
    if _MISTRAL.match(base):
        return Raw.MISTRAL
    return Raw.LLAMA if _LLAMA.match(base) else None


def raw_stops(shape: Raw, params: Params) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop sequences to send, and those that the model does not take."""
    given = tuple(filter(None, params.stop))
    return ((), given) if shape is Raw.LLAMA else (given, ())


def raw_body(shape: Raw, text: str, params: Params) -> bytes:
    """Return the JSON that asks to continue `text`."""
    fields: dict[str, Any] = {"prompt": text}
    if params.max_tokens is not None:
        fields["max_gen_len" if shape is Raw.LLAMA else "max_tokens"] = params.max_tokens
    if params.temperature is not None:
        fields["temperature"] = min(1.0, max(0.0, params.temperature))
    if params.top_p is not None:
        fields["top_p"] = params.top_p
    sent, _ = raw_stops(shape, params)
    if sent:
        fields["stop"] = sent
    return _encode(fields)


class _Output(Struct):
    text: str | None = None
    stop_reason: str | None = None
    finish_reason: str | None = None


class _Metrics(Struct, rename="camel"):
    input_token_count: int = 0
    output_token_count: int = 0
    cache_read_input_token_count: int | None = None


class _Chunk(Struct):
    outputs: list[_Output] | None = None
    choices: list[_Output] | None = None
    generation: str | None = None
    stop_reason: str | None = None
    metrics: _Metrics | None = field(name="amazon-bedrock-invocationMetrics", default=None)


class _Envelope(Struct):
    data: bytes = field(name="bytes")


_open = msgspec.json.Decoder(_Envelope).decode
_decode = msgspec.json.Decoder(_Chunk).decode


class RawReading:
    """Reads the chunks of one answer into deltas."""

    def __init__(self) -> None:
        """Start before the first chunk."""
        self.done = False
        """Whether nothing more will come."""
        self.finished = False
        """Whether the model has said why it stopped."""
        self._metrics: _Metrics | None = None

    def event(self, kind: str, payload: bytes) -> list[Delta]:
        """Return the deltas of an event ``chunk``, others have none. Raises `UNREADABLE`."""
        if kind != "chunk":
            return []
        chunk = _decode(_open(payload).data)
        if chunk.metrics is not None:
            # They come with the last chunk, whatever it says besides.
            self._metrics = chunk.metrics
        said = [*(chunk.outputs or ()), *(chunk.choices or ())][:1] or [
            _Output(text=chunk.generation, stop_reason=chunk.stop_reason)
        ]
        deltas = [delta for each in said if (delta := self._delta(each)) is not None]
        self.done = self.finished and self._metrics is not None
        return deltas

    def finish(self) -> Delta | None:
        """Return the usage as a last delta, None where none was told."""
        if self._metrics is None:
            return None
        cached = tokens(self._metrics.cache_read_input_token_count)
        usage = Usage(
            prompt_tokens=tokens(tokens(self._metrics.input_token_count) + cached),
            completion_tokens=tokens(self._metrics.output_token_count),
            cached_tokens=cached,
        )
        return Delta(usage=usage)

    def _delta(self, output: _Output) -> Delta | None:
        reason = output.stop_reason or output.finish_reason
        if reason and self.finished:
            reason = None
        if reason:
            self.finished = True
            reason = reason if reason == "length" else "stop"
        if not output.text and not reason:
            return None
        return Delta(text=output.text or "", finish_reason=reason or None)
