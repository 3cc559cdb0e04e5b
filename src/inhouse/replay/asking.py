"""The dialects in which a replayed editor asks."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from enum import StrEnum

from msgspec import Struct

from inhouse.client import Client
from inhouse.core.delta import Answer, Usage
from inhouse.core.requests import CompletionRequest
from inhouse.features.joined import joined


class Dialect(StrEnum):
    """What a gateway is asked in."""

    OPENAI = "openai"
    GITLAB = "gitlab"
    TABBY = "tabby"


class Suggested(Struct, frozen=True):
    """A whole answer; an empty one is no suggestion."""

    text: str
    usage: Usage | None


Ask = Callable[[CompletionRequest], Awaitable[Suggested]]


def _openai(client: Client) -> Ask:
    async def ask(request: CompletionRequest) -> Suggested:
        async with contextlib.aclosing(client.complete(request)) as deltas:
            return _suggested(await joined(deltas))

    return ask


def _gitlab(client: Client) -> Ask:
    async def ask(request: CompletionRequest) -> Suggested:
        return _suggested(await client.complete_for_gitlab(request))

    return ask


def _tabby(client: Client) -> Ask:
    async def ask(request: CompletionRequest) -> Suggested:
        return _suggested(await client.complete_for_tabby(request))

    return ask


DIALECTS: dict[Dialect, Callable[[Client], Ask]] = {
    Dialect.OPENAI: _openai,
    Dialect.GITLAB: _gitlab,
    Dialect.TABBY: _tabby,
}


def _suggested(answer: Answer) -> Suggested:
    text = answer.choices[0].text if answer.choices else ""
    return Suggested(text, answer.usage)
