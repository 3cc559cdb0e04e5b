"""Bodies of ``/v1/chat/{name}``: conversations that GitLab has written itself."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from inhouse.core.requests import ChatRequest, Message, Params
from inhouse.wire.decoding import decode_json
from inhouse.wire.gitlab.model import SELF_HOSTED, ApiKey, Identifier, ModelMetadata, Short

Name = Annotated[str, Meta(max_length=100)]
Content = Annotated[str, Meta(max_length=400_000)]
Stop = Annotated[str, Meta(max_length=225)]


class Turn(Struct, frozen=True, kw_only=True):
    """One message."""

    role: Name
    content: Content


class Sampling(Struct, frozen=True, kw_only=True):
    """Sampling settings; what is not said is left to the model's family."""

    stop_sequences: Annotated[list[Stop], Meta(min_length=1, max_length=10)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens_to_sample: Annotated[int, Meta(ge=1, le=8192)] | None = None


class Payload(Struct, frozen=True, kw_only=True):
    """A text or messages, and the model that is to answer."""

    content: Content | Annotated[list[Turn], Meta(min_length=1, max_length=100)]
    provider: Name | None = None
    model: Short | None = None
    params: Sampling | None = None
    model_endpoint: Short | None = None
    model_api_key: ApiKey | None = None
    model_identifier: Identifier | None = None

    def __repr__(self) -> str:
        # A key shows in no log, whoever prints this.
        return f"Payload(provider={self.provider!r}, model={self.model!r})"


class Origin(Struct, frozen=True, kw_only=True):
    """Who sends it."""

    source: Name
    version: Name


class Component(Struct, frozen=True, kw_only=True):
    """The one thing that is asked."""

    type: Name
    payload: Payload
    metadata: Origin | None = None


class ConversationBody(Struct, frozen=True, kw_only=True):
    """The body: exactly one component."""

    prompt_components: Annotated[list[Component], Meta(min_length=1, max_length=1)]
    stream: bool | None = None
    model_metadata: ModelMetadata | None = None

    @property
    def payload(self) -> Payload:
        """What is asked."""
        return self.prompt_components[0].payload

    @property
    def named(self) -> ModelMetadata | None:
        """The model that its component names, None where it leaves the choice to us."""
        payload = self.payload
        if payload.provider != SELF_HOSTED or not (payload.model or payload.model_endpoint):
            return None
        return ModelMetadata(
            provider=payload.provider,
            name=payload.model,
            endpoint=payload.model_endpoint,
            api_key=payload.model_api_key,
            identifier=payload.model_identifier,
        )


class Metadata(Struct, frozen=True, kw_only=True):
    """Who answered; `timestamp` in seconds since 1970."""

    provider: str
    model: str
    timestamp: int


class ConversationAnswer(Struct, frozen=True, kw_only=True):
    """A whole answer."""

    response: str
    metadata: Metadata


_decoder = msgspec.json.Decoder(ConversationBody)


def decode_conversation(raw: bytes) -> ConversationBody:
    """Return the body.

    Raises:
        InvalidValueError: a field is missing, or has a wrong type or value.
        RequestError: the body is not JSON.

    """
    return decode_json(raw, _decoder)


def conversation(body: ConversationBody, request_id: str) -> ChatRequest:
    """Return the conversation to continue; a text alone is the user's."""
    payload, sampling = body.payload, body.payload.params or Sampling()
    content = payload.content
    turns = [Turn(role="user", content=content)] if isinstance(content, str) else content
    return ChatRequest(
        messages=tuple(Message(role=each.role, content=each.content) for each in turns),
        params=Params(
            max_tokens=sampling.max_tokens_to_sample,
            temperature=sampling.temperature,
            stop=tuple(each for each in sampling.stop_sequences or () if each),
            request_id=request_id,
            whole=not body.stream,
        ),
    )


def answer(text: str, payload: Payload, deployment: str, now: int) -> bytes:
    """Return the body of a whole answer; `now` in seconds since 1970."""
    metadata = Metadata(
        provider=payload.provider or SELF_HOSTED,
        model=payload.model or deployment,
        timestamp=now,
    )
    return msgspec.json.encode(ConversationAnswer(response=text, metadata=metadata))
