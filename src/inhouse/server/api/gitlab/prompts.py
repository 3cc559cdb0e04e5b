"""``/v1/prompts/{id}`` and ``/v2/prompts/{id}``: tasks by name."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from inhouse.core.delta import Answer, Deltas
from inhouse.core.feature import Feature
from inhouse.core.requests import CompletionRequest, GenerationRequest, Params, RequestedModel
from inhouse.errors import (
    InvalidValueError,
    NotFoundError,
    UnknownModelError,
    UpstreamError,
    UpstreamFailure,
)
from inhouse.features.joined import joined
from inhouse.prompts import Task, TaskRequest, tasks
from inhouse.records.recording import Recording
from inhouse.routing.target import Target
from inhouse.server.api.gitlab import choosing, door
from inhouse.server.api.gitlab.door import Visitor
from inhouse.server.api.gitlab.refusals import GITLAB_PROMPTS, refuse
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.server.streaming import stream
from inhouse.wire.gitlab import prompts as wire
from inhouse.wire.gitlab.editing import NAME
from inhouse.wire.gitlab.model import requested
from inhouse.wire.gitlab.unframed import KIND, Unframed

CHECK = "model_configuration/check"
"""What an administrator's "Test connection" asks."""
SILENT = "The model was asked a short question and answered with nothing."


async def first(exchange: Exchange) -> None:
    """``POST /v1/prompts/{id}``: a JSON string, or unframed text."""
    await _answer(exchange, version=1)


async def second(exchange: Exchange) -> None:
    """``POST /v2/prompts/{id}``: an object with the usage, or a line of JSON a piece."""
    await _answer(exchange, version=2)


async def _answer(exchange: Exchange, *, version: int) -> None:
    visitor = await door.admit(exchange)
    name = exchange.variables["id"].strip("/")
    task = tasks().get(name)
    if task is None:
        await _unknown(exchange, name)
        return
    visitor.require(*task.scopes, why=f"Unauthorized to access '{name}'")
    body = wire.decode_prompt(await exchange.body())
    inputs = _inputs(name, task, wire.texts(body.inputs or {}))
    recording = exchange.recording
    recording.stream = bool(body.stream)
    params = Params(request_id=recording.request_id, whole=not body.stream)
    model = requested(body.model_metadata)
    request = TaskRequest(task=task, inputs=inputs, params=params)
    if name == CHECK:
        deltas = await _check(exchange, visitor, model, request)
    else:
        target = await choosing.target(exchange, visitor, model, task.feature)
        deltas = _deltas(exchange, visitor, target, request)
    if body.stream:
        encoder = Unframed if version == 1 else lambda: wire.Lines(recording.deployment)
        await stream(exchange, deltas, encoder, KIND)
    else:
        await exchange.answer(await _whole(deltas, name, version, recording))


async def _whole(deltas: Deltas, name: str, version: int, recording: Recording) -> bytes:
    """Return the body of an answer in one piece; raises as `_said` where a model is tested."""
    async with contextlib.aclosing(deltas):
        found = await joined(deltas)
    model = recording.deployment
    text = _said(found, model) if name == CHECK else found.choices[0].text
    return wire.answer(text) if version == 1 else wire.answer_with_usage(text, model, found.usage)


async def _unknown(exchange: Exchange, name: str) -> None:
    """Refuse an id that we have no task for."""
    shown = name[:100]
    if name in wire.AGENT_ONLY:
        raise InvalidValueError(
            f"Prompt '{shown}' is not supported here: it is a step of POST /v2/chat/agent."
        )
    why = f"Failed to load prompt definition for '{shown}': this gateway has no such task."
    await refuse(exchange, NotFoundError(why), 400, why)


def _inputs(name: str, task: Task, given: dict[str, str]) -> dict[str, str]:
    """Return the inputs with those that we add; raises `InvalidValueError` where one is missing."""
    missing = task.missing(given)
    if missing:
        listed = ", ".join(f"'{each}'" for each in missing)
        raise InvalidValueError(
            f"Input to the prompt '{name}' is missing variables {{{listed}}}.", param="inputs"
        )
    return {"current_date": f"{datetime.now(UTC):%B %d, %Y}", **given}


def _deltas(exchange: Exchange, visitor: Visitor, target: Target, request: TaskRequest) -> Deltas:
    """Return the answer by our own completion or generation, where it is that, or by a prompt."""
    gateway, inputs, params = exchange.gateway, request.inputs, request.params
    match request.task.feature:
        case Feature.COMPLETION:
            completion = CompletionRequest(
                prefix=inputs["prefix"],
                suffix=inputs.get("suffix", ""),
                path=inputs.get("file_name", "")[-NAME:],
                language=inputs.get("language", "")[:NAME],
                user=visitor.asks_for(exchange.recording.id),
                fresh=exchange.fresh,
                params=params,
            )
            return gateway.completion.stream(completion, target, exchange.recording)
        case Feature.GENERATION:
            generation = GenerationRequest(
                instruction=inputs.get("instruction", ""),
                prefix=inputs["prefix"],
                suffix=inputs.get("suffix", ""),
                path=inputs.get("file_name", "")[-NAME:],
                language=inputs.get("language", "")[:NAME],
                params=params,
            )
            return gateway.generation.stream(generation, target, exchange.recording)
        case _:
            return gateway.tasks.stream(request, target, exchange.recording)


async def _check(
    exchange: Exchange, visitor: Visitor, model: RequestedModel | None, request: TaskRequest
) -> Deltas:
    """Ask the model that chats; where only completion is routed, the one that completes."""
    try:
        target = await choosing.target(exchange, visitor, model, Feature.CHAT)
    except UnknownModelError as error:
        try:
            target = await choosing.target(exchange, visitor, model, Feature.COMPLETION)
        except UnknownModelError:
            raise error from None
    return exchange.gateway.tasks.check(request, target, exchange.recording)


def _said(answer: Answer, deployment: str) -> str:
    """Return what a model under test said; raises `UpstreamError` where that is nothing at all."""
    said = answer.choices[0].text or answer.choices[0].reasoning
    if not said.strip():
        raise UpstreamError(UpstreamFailure.PROTOCOL, SILENT, deployment=deployment)
    return said


ENDPOINTS = (
    Endpoint(method="POST", path="/v1/prompts/{id...}", handle=first, dialect=GITLAB_PROMPTS),
    Endpoint(method="POST", path="/v2/prompts/{id...}", handle=second, dialect=GITLAB_PROMPTS),
)
