"""The OpenAI dialect: chat completions, completions, embeddings, models."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from inhouse.core.delta import Answer, Delta, Deltas, Usage
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller, CompletionRequest, GenerationRequest, Params
from inhouse.errors import InvalidValueError, RequestError, UnknownModelError
from inhouse.features.joined import joined
from inhouse.prompts import split_fim
from inhouse.routing.target import Target, resolve, usable
from inhouse.server.api.tabby.completing import complete as complete_for_tabby
from inhouse.server.dialect import Dialect
from inhouse.server.errors import Problem
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.server.streaming import stream
from inhouse.wire.openai import answers, inbound
from inhouse.wire.openai.answers import ChatChunks, CompletionChunks, Identity
from inhouse.wire.openai.embeddings import decode_embedding, embedding_answer, embedding_request
from inhouse.wire.openai.inbound import ChatBody, CompletionBody
from inhouse.wire.tabby.inbound import speaks as speaks_tabby

Chunks = ChatChunks | CompletionChunks

NOT_TOLD = Delta(finish_reason="stop")
"""How a stream ends whose upstream gave no reason."""


async def chat_completions(exchange: Exchange) -> None:
    """``POST /v1/chat/completions``: a conversation, or code to write (model ``generation``)."""
    await converse(exchange, exchange.authenticate(), await exchange.body())


async def converse(exchange: Exchange, caller: Caller, raw: bytes) -> None:
    """Answer a body of this dialect, whatever door it came through."""
    body, extra = inbound.decode_chat(raw)
    deltas = _chat(exchange, caller, body, _noted(exchange, body, extra))
    await _answer(exchange, body, deltas, ChatChunks, answers.chat_answer)


async def completions(exchange: Exchange) -> None:
    """``POST /v1/completions``: fill in at the cursor, or write code (model ``generation``).

    Tabby's clients ask at the same path.
    """
    caller = exchange.authenticate()
    raw = await exchange.body()
    try:
        body, extra = inbound.decode_completion(raw)
    except RequestError:
        # Looked for where OpenAI's dialect ends, so that it costs this dialect nothing.
        if not speaks_tabby(raw):
            raise
        await complete_for_tabby(exchange, caller, raw)
        return
    deltas = _complete(exchange, caller, body, _noted(exchange, body, extra))
    await _answer(exchange, body, deltas, CompletionChunks, answers.completion_answer)


async def embeddings(exchange: Exchange) -> None:
    """``POST /v1/embeddings``: texts to vectors (model ``embedding``)."""
    caller = exchange.authenticate()
    body, extra = decode_embedding(await exchange.body())
    recording = exchange.recording
    recording.model = body.model
    request = embedding_request(body, Params(extra=extra, request_id=recording.request_id))
    if _feature(exchange, body.model, otherwise=Feature.EMBEDDING) is not Feature.EMBEDDING:
        raise InvalidValueError(
            f"The model '{body.model}' writes text: ask 'embedding' for vectors, or a deployment by"
            " its name.",
            param="model",
        )
    target = _target(exchange, caller, body.model, Feature.EMBEDDING)
    found = await exchange.gateway.embedding.embed(request, target, recording)
    packed = body.encoding_format == "base64"
    await exchange.answer(embedding_answer(found, _identity(exchange).model, packed=packed))


async def list_models(exchange: Exchange) -> None:
    """``GET /v1/models``: the features that are served, and every deployment, as the key allows."""
    names = usable(exchange.gateway.catalog, exchange.authenticate())
    await exchange.answer(answers.models(names, created=0))


async def show_model(exchange: Exchange) -> None:
    """``GET /v1/models/{name}``."""
    name = exchange.variables["name"]
    if name not in usable(exchange.gateway.catalog, exchange.authenticate()):
        raise UnknownModelError(
            f"There is no model '{name[:100]}' for this key. GET /v1/models lists what there is.",
            param="model",
        )
    await exchange.answer(answers.model(name, created=0))


def refusal(found: Problem, trace_id: str) -> tuple[int, bytes]:
    """Return status and body of an error in this dialect, which knows no 422."""
    body = answers.error(
        found.message, kind=found.kind, code=found.code, param=found.param, trace_id=trace_id
    )
    return 400 if found.status == 422 else found.status, body


# No ``[DONE]`` follows an error.
OPENAI = Dialect(name="openai", refusal=refusal, late=answers.event)


def _chat(exchange: Exchange, caller: Caller, body: ChatBody, params: Params) -> Deltas:
    gateway = exchange.gateway
    match _feature(exchange, body.model, otherwise=Feature.CHAT):
        case Feature.EMBEDDING:
            raise _embeds()
        case Feature.COMPLETION:
            raise InvalidValueError(
                "The model 'completion' fills in at the cursor: ask it at POST /v1/completions"
                " with 'prompt' and 'suffix'.",
                param="model",
            )
        case Feature.GENERATION:
            target = _target(exchange, caller, body.model, Feature.GENERATION)
            request = inbound.generation_request(body, params)
            return gateway.generation.stream(request, target, exchange.recording)
        case feature:
            target = _target(exchange, caller, body.model, feature)
            conversation = inbound.chat_request(body, params)
            return gateway.chat.stream(conversation, target, exchange.recording)


def _complete(exchange: Exchange, caller: Caller, body: CompletionBody, params: Params) -> Deltas:
    gateway = exchange.gateway
    feature = _feature(exchange, body.model, otherwise=Feature.COMPLETION)
    if feature is Feature.GENERATION:
        target = _target(exchange, caller, body.model, feature)
        return gateway.generation.stream(_generation(body, params), target, exchange.recording)
    if feature is Feature.EMBEDDING:
        raise _embeds()
    if feature is not Feature.COMPLETION:
        raise InvalidValueError(
            f"The model '{body.model}' is for conversations: ask it at POST /v1/chat/completions"
            " with 'messages'.",
            param="model",
        )
    target = _target(exchange, caller, body.model, feature)
    request = _completion(exchange, body, params)
    return gateway.completion.stream(request, target, exchange.recording)


def _embeds() -> InvalidValueError:
    return InvalidValueError(
        "The model 'embedding' turns text into vectors: ask it at POST /v1/embeddings with"
        " 'input'.",
        param="model",
    )


def _feature(exchange: Exchange, model: str, *, otherwise: Feature) -> Feature:
    """Return the feature that a model name is, `otherwise` where it is a deployment's."""
    if model in exchange.gateway.catalog.deployments:
        return otherwise
    try:
        return Feature(model)
    except ValueError:
        return otherwise


def _target(exchange: Exchange, caller: Caller, model: str, feature: Feature) -> Target:
    target = resolve(exchange.gateway.catalog, model, caller, feature, exchange.deadlines())
    exchange.recording.feature = target.feature
    return target


def _completion(exchange: Exchange, body: CompletionBody, params: Params) -> CompletionRequest:
    """Return the hole to fill; a prompt that carries a family's FIM tokens is taken apart."""
    prefix, suffix, path = inbound.prompt_text(body), body.suffix or "", body.path or ""
    raw = None if suffix else split_fim(prefix, exchange.gateway.families)
    if raw is not None:
        prefix, suffix, path = raw.prefix, raw.suffix, path or raw.path
    return CompletionRequest(
        prefix=prefix,
        suffix=suffix,
        path=path,
        language=body.language or "",
        user=body.user if isinstance(body.user, str) else "",
        fresh=exchange.fresh,
        params=params,
    )


def _generation(body: CompletionBody, params: Params) -> GenerationRequest:
    if not (body.instruction or "").strip():
        raise InvalidValueError(
            "The model 'generation' needs an 'instruction' here; 'prompt' and 'suffix' are the"
            " code around it.",
            param="instruction",
        )
    return GenerationRequest(
        instruction=body.instruction or "",
        prefix=inbound.prompt_text(body),
        suffix=body.suffix or "",
        path=body.path or "",
        language=body.language or "",
        params=params,
    )


class _Events:
    """A stream in this dialect: its chunks, and what is told behind the last."""

    def __init__(self, chunks: Chunks, *, with_usage: bool) -> None:
        self._chunks = chunks
        self._with_usage = with_usage
        self._usage: Usage | None = None
        self._finished = False

    def begin(self) -> bytes:
        return b""

    def encode(self, delta: Delta) -> bytes:
        self._usage = delta.usage or self._usage
        self._finished = self._finished or delta.finish_reason is not None
        return self._chunks.encode(delta)

    def end(self) -> bytes:
        end = b"" if self._finished else self._chunks.encode(NOT_TOLD)
        if self._with_usage:
            end += self._chunks.usage(self._usage)
        return end + answers.DONE


def _noted(exchange: Exchange, body: ChatBody | CompletionBody, extra: dict[str, Any]) -> Params:
    """Note what is asked, and return the params of it."""
    exchange.recording.model = body.model
    exchange.recording.stream = bool(body.stream)
    return inbound.params(body, extra, exchange.recording.request_id)


async def _answer(
    exchange: Exchange,
    body: ChatBody | CompletionBody,
    deltas: Deltas,
    chunks: type[Chunks],
    whole: Callable[[Identity, Answer], bytes],
) -> None:
    """Send the answer as the caller wants it: streamed, or joined."""
    if body.stream:
        await stream(
            exchange,
            deltas,
            lambda: _Events(chunks(_identity(exchange)), with_usage=inbound.include_usage(body)),
            answers.EVENT_STREAM,
        )
        return
    async with contextlib.aclosing(deltas):
        answer = await joined(deltas)
    await exchange.answer(whole(_identity(exchange), answer))


def _identity(exchange: Exchange) -> Identity:
    """Return what the answer says of itself: its model is the deployment that really answered."""
    recording = exchange.recording
    return Identity(recording.id, int(time.time()), recording.deployment or recording.model)


ENDPOINTS = tuple(
    Endpoint(method=method, path=path, handle=handle, dialect=OPENAI)
    for method, path, handle in (
        ("POST", "/v1/chat/completions", chat_completions),
        ("POST", "/v1/completions", completions),
        ("POST", "/v1/embeddings", embeddings),
        ("GET", "/v1/models", list_models),
        ("GET", "/v1/models/{name}", show_model),
    )
)
