"""What a caller sends us in the OpenAI dialect, decoded to our requests.

Shapes follow OpenAI's reference of the two endpoints, and what vLLM adds to them. ``null`` means
the same as a field that is left out, since several clients send every field. Fields that we do not
interpret are handed on to the upstream; see `Params.extra`.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from inhouse.core.requests import ChatRequest, GenerationRequest, Message, Params
from inhouse.core.settings import Tokens
from inhouse.errors import InvalidValueError
from inhouse.wire.decoding import UNREADABLE, decode_json

Model = Annotated[str, Meta(min_length=1, max_length=256)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
Times = Annotated[int, Meta(ge=1, le=128)]
Stops = Annotated[list[str], Meta(max_length=64)]

IGNORED = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
"""Fields that only OpenAI's own cloud acts on; an upstream need not know who asks."""


class StreamOptions(Struct, frozen=True):
    """What a stream carries besides its deltas."""

    include_usage: bool | None = None


class ChatBody(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/chat/completions``.

    `prefix`, `suffix`, `path` and `language` are ours: the code around the cursor, for the model
    ``generation``.
    """

    model: Model
    messages: Annotated[tuple[Message, ...], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    stop: str | Stops | None = None
    seed: int | None = None
    n: Times | None = None
    prefix: str | None = None
    suffix: str | None = None
    path: str | None = None
    language: str | None = None


class CompletionBody(Struct, frozen=True, kw_only=True):
    """The body of ``POST /v1/completions``.

    `path` and `language` are ours, and help the model; `instruction` goes with the model
    ``generation``. `user` tells apart for whom one key asks. `prompt` is the code before the
    cursor; a list may hold one.
    """

    model: Model
    prompt: str | list[Any]
    suffix: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    stop: str | Stops | None = None
    seed: int | None = None
    n: Times | None = None
    best_of: int | None = None
    echo: bool | None = None
    path: str | None = None
    language: str | None = None
    user: Any = None
    instruction: str | None = None


Body = TypeVar("Body", ChatBody, CompletionBody)

_INTERPRETED = frozenset(ChatBody.__struct_fields__) | frozenset(CompletionBody.__struct_fields__)
_NOT_HANDED_ON = _INTERPRETED | IGNORED


class _PlainChat(ChatBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that has no field to hand on, nor one to leave out."""


class _PlainCompletion(CompletionBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that has no field to hand on, nor one to leave out."""


_chat = msgspec.json.Decoder(ChatBody)
_plain_chat = msgspec.json.Decoder(_PlainChat)
_completion = msgspec.json.Decoder(CompletionBody)
_plain_completion = msgspec.json.Decoder(_PlainCompletion)
_fields = msgspec.json.Decoder(dict[str, Raw])
_anything = msgspec.json.Decoder()


def decode_chat(raw: bytes) -> tuple[ChatBody, dict[str, Any]]:
    """Return the body and the fields to hand on.

    Raises:
        InvalidValueError: a field is missing, or has a wrong type or value.
        RequestError: the body is not JSON.

    """
    return _decode(raw, _plain_chat, _chat)


def decode_completion(raw: bytes) -> tuple[CompletionBody, dict[str, Any]]:
    """Return the body and the fields to hand on; raises as `decode_chat`."""
    body, extra = _decode(raw, _plain_completion, _completion)
    if body.echo:
        raise InvalidValueError(
            "'echo' is not supported: the answer holds new text only.", param="echo"
        )
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise InvalidValueError(
            "'best_of' is not supported: ask for 'n' choices, and all of them come back.",
            param="best_of",
        )
    return body, extra


def params(body: ChatBody | CompletionBody, extra: dict[str, Any], request_id: str) -> Params:
    """Return the sampling settings that a body asks for."""
    longest = body.max_tokens
    if isinstance(body, ChatBody) and body.max_completion_tokens is not None:
        longest = body.max_completion_tokens
    stops = [body.stop] if isinstance(body.stop, str) else body.stop or ()
    return Params(
        max_tokens=longest,
        temperature=body.temperature,
        top_p=body.top_p,
        stop=tuple(stop for stop in stops if stop),
        seed=body.seed,
        n=body.n or 1,
        extra=extra,
        request_id=request_id,
        whole=not body.stream,
    )


def prompt_text(body: CompletionBody) -> str:
    """Return the one prompt of a body; raises `InvalidValueError` for several, and for tokens."""
    if isinstance(body.prompt, str):
        return body.prompt
    match body.prompt:
        case [str(text)]:
            return text
        case [int(), *_] | [[*_], *_]:
            why = "'prompt' holds token numbers; send text: each deployment has its own tokens."
        case [str(), *_]:
            why = "'prompt' holds several prompts; send one a request, or ask for 'n' choices."
        case _:
            why = "'prompt' must be a string, or a list of one string."
    raise InvalidValueError(why, param="prompt")


def chat_request(body: ChatBody, asked: Params) -> ChatRequest:
    """Return the conversation to continue."""
    return ChatRequest(messages=body.messages, params=asked)


def generation_request(body: ChatBody, asked: Params) -> GenerationRequest:
    """Return the code to write: the last message of the user is the instruction.

    Raises:
        InvalidValueError: no message of the user has text.

    """
    spoken = (each.text for each in reversed(body.messages) if each.role == "user")
    instruction = next((text for text in spoken if text.strip()), None)
    if instruction is None:
        raise InvalidValueError(
            "The model 'generation' needs an instruction: a message with the role 'user'.",
            param="messages",
        )
    return GenerationRequest(
        instruction=instruction,
        prefix=body.prefix or "",
        suffix=body.suffix or "",
        path=body.path or "",
        language=body.language or "",
        params=asked,
    )


def include_usage(body: ChatBody | CompletionBody) -> bool:
    """Tell whether the caller wants the usage at the end of a stream."""
    return body.stream_options is not None and body.stream_options.include_usage is True


def _decode(
    raw: bytes, plain: msgspec.json.Decoder[Body], decoder: msgspec.json.Decoder[Body]
) -> tuple[Body, dict[str, Any]]:
    # Most bodies are read in one pass; of a large one, each costs as much as everything else here.
    try:
        return plain.decode(raw), {}
    except UNREADABLE:
        pass
    body: Body = decode_json(raw, decoder)
    # A second pass, over names alone: it skips values unread.
    fields: dict[str, Raw] = decode_json(raw, _fields)
    return body, {
        name: decode_json(value, _anything)
        for name, value in fields.items()
        if name not in _NOT_HANDED_ON
    }
