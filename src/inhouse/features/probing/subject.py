"""What is probed, and how it is asked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import Deadlines
from inhouse.core.delta import Delta
from inhouse.core.ports import Provider
from inhouse.core.prompt import Messages, Prompt
from inhouse.core.requests import Message, Params
from inhouse.core.settings import Settings
from inhouse.families import CompletionMode, Families, Family
from inhouse.features.joined import joined
from inhouse.prompts import Budget

DEADLINES = Deadlines(connect=5, first_token=30, between_tokens=15, total=60)
LARGEST = 1024 * 1024
"""Characters of an answer at most; a probe asks for short ones."""


class Heard(Struct, frozen=True, kw_only=True):
    """An answer and how it came, in milliseconds from the question.

    `first` is when its first piece came, `spread` what lies between that and the last one.
    `prompt_tokens` and `tokens` are the upstream's count, None where it tells none.
    """

    text: str
    tool_calls: tuple[dict[str, Any], ...]
    finish_reason: str
    deltas: int
    prompt_tokens: int | None
    tokens: int | None
    first: float
    spread: float
    milliseconds: float

    @property
    def length(self) -> int:
        """The tokens generated, at least as many as there were pieces."""
        return max(self.tokens or 0, self.deltas)


class Subject:
    """A deployment, and what is needed to ask it as the gateway would."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        provider: Provider,
        families: Families,
        settings: Settings,
    ) -> None:
        """Raises `NotFoundError` where there is no such family."""
        self.deployment = deployment
        self.provider = provider
        self.families = families
        self.settings = settings
        self._family = families.get(deployment.family)

    @property
    def family(self) -> Family:
        """The family as the deployment is asked: without rendered text where it takes none."""
        takes_text = self.provider.takes_text(self.deployment)
        return self._family if takes_text else self._family.conversing()

    @property
    def native(self) -> bool:
        """Whether no model is asked: an index of ours answers."""
        return self._family.completion is CompletionMode.NATIVE

    def budget(self, output_tokens: int) -> Budget:
        """Return a budget for a short prompt."""
        return Budget(
            window=self._family.window,
            prefix_tokens=256,
            suffix_tokens=128,
            output_tokens=output_tokens,
        )

    async def ask(self, prompt: Prompt, params: Params) -> Heard:
        """Hear a whole answer; raises as `Provider.stream` does."""
        clock = _Clock()
        stream = self.stream(prompt, params)
        async with contextlib.aclosing(stream) as deltas:
            answer = await joined(clock.timed(deltas), limit=LARGEST)
        choice, usage = answer.choices[0], answer.usage
        return Heard(
            # A model that thinks before it speaks has answered as well.
            text=choice.text or choice.reasoning,
            tool_calls=choice.tool_calls,
            finish_reason=choice.finish_reason,
            deltas=clock.deltas,
            prompt_tokens=usage.prompt_tokens if usage and usage.prompt_tokens else None,
            tokens=usage.completion_tokens if usage and usage.completion_tokens else None,
            first=clock.first,
            spread=round(clock.last - clock.first, 1),
            milliseconds=clock.now(),
        )

    def stream(self, prompt: Prompt, params: Params) -> AsyncGenerator[Delta]:
        """Ask, with deadlines of our own and a name that an upstream's log shows."""
        asked = msgspec.structs.replace(params, deadlines=DEADLINES, request_id="inhouse-probe")
        return self.provider.stream(self.deployment, prompt, asked)


def question(text: str) -> Messages:
    """Return a conversation of one question."""
    return Messages((Message(role="user", content=text),))


class _Clock:
    """Notes when the pieces of an answer come."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.deltas = 0
        self.first = self.last = 0.0

    def now(self) -> float:
        """Return the milliseconds since the question."""
        return round(1000 * (time.perf_counter() - self._began), 1)

    async def timed(self, deltas: AsyncGenerator[Delta]) -> AsyncGenerator[Delta]:
        async for delta in deltas:
            if delta.text or delta.reasoning or delta.tool_calls:
                self.last = self.now()
                self.first = self.first if self.deltas else self.last
                self.deltas += 1
            yield delta
