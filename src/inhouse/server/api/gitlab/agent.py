"""``/v2/chat/agent``: one step of a conversation with tools."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator

from inhouse.core.agent import AgentEvent, Failed
from inhouse.core.delta import Usage
from inhouse.core.feature import Feature
from inhouse.errors import ForbiddenError, InvalidValueError, UpstreamError, UpstreamFailure
from inhouse.routing.target import Target
from inhouse.server.api.gitlab import choosing, door, refusals
from inhouse.server.api.gitlab.door import Visitor
from inhouse.server.api.gitlab.refusals import GITLAB
from inhouse.server.errors import problem
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.wire.gitlab import agent as wire
from inhouse.wire.gitlab.agent_events import NDJSON, encode, encode_usage
from inhouse.wire.gitlab.model import requested
from inhouse.wire.gitlab.tools import knows_classic, offered

CLASSIC = "duo_classic_chat"
CORE = "duo_chat"
MENTION = "@GitLabDuo"
NOT_CHAT = "Unauthorized to access duo chat"
NOT_CORE = "Duo Core no longer authorized to access Duo Classic Chat"
VERSION = b"x-gitlab-version"
TOO_LONG = "prompt is too long"
"""What GitLab looks for in an error's message, to tell its user so."""

_GUARDED = frozenset(
    {
        "file",
        "snippet",
        "merge_request",
        "issue",
        "dependency",
        "local_git",
        "terminal",
        "repository",
        "directory",
    }
)
"""Categories of additional context that have a scope of their own."""
_LASTING = frozenset(
    {
        UpstreamFailure.AUTHENTICATION,
        UpstreamFailure.UNKNOWN_MODEL,
        UpstreamFailure.FORBIDDEN,
        UpstreamFailure.MISCONFIGURED,
    }
)
"""Failures after which another deployment may answer, but every one was asked already."""


async def take_step(exchange: Exchange) -> None:
    """``POST /v2/chat/agent``: the answer as it is written, or a tool that GitLab shall run."""
    visitor = await door.admit(exchange)
    visitor.require(CLASSIC, CORE, why=NOT_CHAT)
    body = wire.decode(await exchange.body())
    if body.misplaced:
        error = InvalidValueError(wire.MISPLACED, param="messages")
        await refusals.refuse(exchange, error, 400, wire.MISPLACED)
        return
    version = door.text(exchange, VERSION)
    _allow(visitor, body, version)
    target = await choosing.target(exchange, visitor, requested(body.model_metadata), Feature.CHAT)
    exchange.recording.stream = True
    tools = offered(version, visitor.may, body.unavailable_resources or ())
    today = time.strftime("%A, %d %B %Y", time.gmtime())
    step = wire.agent_request(body, tools, today, exchange.recording.request_id)
    events = exchange.gateway.agent.stream(step, target, exchange.recording)
    await _send(exchange, events, target)


def _allow(visitor: Visitor, body: wire.Body, version: str) -> None:
    """Raise `ForbiddenError` where the licence does not cover the question or what goes with it."""
    core = not visitor.may(CLASSIC) and knows_classic(version)
    if core and MENTION not in body.question:
        raise ForbiddenError(NOT_CORE)
    for category in body.categories:
        scope = f"include_{category}_context"
        if category in _GUARDED and not visitor.may(scope):
            raise ForbiddenError(f"Unauthorized to access {scope}")


async def _send(exchange: Exchange, events: AsyncGenerator[AgentEvent], target: Target) -> None:
    """Send the events; a model that fails is one of them, and then the last."""
    recording = exchange.recording
    failed = False
    async with contextlib.aclosing(events):
        try:
            async for event in events:
                failed = isinstance(event, Failed)
                await _write(exchange, encode(event))
        except UpstreamError as error:
            failed = True
            recording.fail(error, 200)
            await _write(exchange, encode(_failure(error)))
    # What is not told by the upstream is an estimate, and nobody's to account.
    usage = Usage(
        prompt_tokens=recording.prompt_tokens, completion_tokens=recording.completion_tokens
    )
    known = not failed and usage != Usage()
    await exchange.end(encode_usage(_model(exchange, target), usage) if known else b"")


async def _write(exchange: Exchange, line: bytes) -> None:
    """Send a line; the head waits for the first, when it is known who answers."""
    if not exchange.started:
        await exchange.begin_stream(NDJSON)
    await exchange.write(line)


def _failure(error: UpstreamError) -> Failed:
    message = problem(error).message
    if error.failure is UpstreamFailure.CONTEXT_LENGTH:
        message = f"{TOO_LONG}: {message}"
    retryable = error.retryable and error.failure not in _LASTING
    return Failed(message=message, retryable=retryable)


def _model(exchange: Exchange, target: Target) -> str:
    """Return the name of the model that answered, as its upstream knows it."""
    name = exchange.recording.deployment
    return next(each.model for each in target.deployments if each.name == name)


ENDPOINTS = (Endpoint(method="POST", path="/v2/chat/agent", handle=take_step, dialect=GITLAB),)
