"""The provider of the entry point ``scripted``: a fake that plays a script, and remembers.

It ships, since demos, load tests and the tests of whatever calls a model need it. Nothing in it
sleeps unless the script says so; a test holds it at a `Gate` instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections import deque
from collections.abc import Generator, Sequence
from random import Random
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Deltas, Embedded, Served, Usage
from inhouse.core.ports import Place, ProviderContext
from inhouse.core.prompt import Prompt, Text, text_of
from inhouse.core.requests import Params
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.providers.known import Known

REMEMBERED = 1000
_TOKEN = re.compile(r"\s*\S+|\s+")
_Wait = Annotated[float, Meta(ge=0, le=3600)]


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``[deployments.options]`` may hold for ``scripted``.

    `tokens` are said one a delta; `echo` says the prompt instead. `gate` names a gate that is
    waited at behind `gate_after` tokens. `error` is raised behind `error_after` tokens. `hang`
    never answers. `usage` is counted where it is not given, unless `tell_usage` is off. Vectors
    have as many `dimensions` where nobody says how many.
    """

    tokens: tuple[str, ...] = ("This", " is", " a", " script", ".")
    echo: bool = False
    first_delay: _Wait = 0.0
    delay: _Wait = 0.0
    gate: str = ""
    gate_after: int = 0
    error: UpstreamFailure | None = None
    error_after: int = 0
    error_message: str = "The script says so."
    error_status: int | None = None
    retry_after: float | None = None
    hang: bool = False
    finish_reason: str = "stop"
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[dict[str, Any], ...] = ()
    usage: Usage | None = None
    tell_usage: bool = True
    window: Annotated[int, Meta(ge=1)] | None = None
    served: tuple[str, ...] = ()
    tokenizer: bool = True
    takes_text: bool = True
    dimensions: Annotated[int, Meta(ge=1, le=4096)] = 8


class Call:
    """One call of `Scripted.stream`, or of `Scripted.embed`, whose prompt is all texts."""

    def __init__(self, deployment: Deployment, prompt: Prompt, params: Params) -> None:
        """Remember what was asked."""
        self.deployment = deployment
        self.prompt = prompt
        self.params = params
        self.deltas = 0
        """Deltas that were taken."""
        self.aborted = False
        """Whether the caller left before the end."""
        self.ended = asyncio.Event()


class Gate:
    """A place in a script where it waits for a test."""

    def __init__(self) -> None:
        """Start closed."""
        self.reached = asyncio.Event()
        self._open = asyncio.Event()

    def release(self) -> None:
        """Let everybody pass, now and later."""
        self._open.set()

    async def passed(self) -> None:
        """Say that somebody is here, and wait."""
        self.reached.set()
        await self._open.wait()


class Scripted:
    """Plays the script in each deployment's options."""

    def __init__(self, context: ProviderContext | None = None) -> None:
        """Play without a `context`; it is taken as every provider takes one."""
        del context
        self.calls: deque[Call] = deque(maxlen=REMEMBERED)
        """The last calls, oldest first."""
        self._gates: dict[str, Gate] = {}
        self._scripts = Known(_read)

    def gate(self, name: str) -> Gate:
        """Return the gate of this name; scripts share it."""
        return self._gates.setdefault(name, Gate())

    def check(self, deployment: Deployment) -> None:
        """Raise ConfigError where the script cannot be read."""
        self._scripts[deployment]

    def takes_text(self, deployment: Deployment) -> bool:
        """Tell whether the script says that the model takes rendered text."""
        return self._scripts[deployment].takes_text

    def answers_whole(self, deployment: Deployment, params: Params) -> bool:
        """Tell that each answer is streamed."""
        del deployment, params
        return False

    def endpoints(self, deployment: Deployment) -> frozenset[Place]:
        """Return nothing: no connection is made."""
        del deployment
        return frozenset()

    async def stream(self, deployment: Deployment, prompt: Prompt, params: Params) -> Deltas:
        """Play the script, for each of ``n`` choices in turn."""
        script = self._scripts[deployment]
        with self._called(deployment, prompt, params) as call:
            tokens = _tokens(script, prompt, params)
            await _pause(script.first_delay)
            async for delta in self._play(script, tokens, params.n):
                call.deltas += 1
                yield delta
            if script.tell_usage:
                call.deltas += 1
                yield Delta(usage=script.usage or _usage(prompt, tokens, params.n))

    async def embed(
        self, deployment: Deployment, texts: Sequence[str], dimensions: int | None, params: Params
    ) -> Embedded:
        """Return vectors of length 1, each made of its text alone; waits and fails as the script.

        What it says to do behind a number of tokens it does at once.
        """
        script = self._scripts[deployment]
        prompt = Text("\n".join(texts))
        with self._called(deployment, prompt, params):
            await _pause(script.first_delay)
            for position in sorted({0, script.gate_after, script.error_after}):
                await self._stop_at(script, position)
            usage = script.usage or _usage(prompt, (), 1) if script.tell_usage else None
            vectors = [_vector(text, dimensions or script.dimensions) for text in texts]
            return Embedded(vectors=vectors, usage=usage)

    @contextlib.contextmanager
    def _called(self, deployment: Deployment, prompt: Prompt, params: Params) -> Generator[Call]:
        """Remember a call, and how it ended."""
        call = Call(deployment, prompt, params)
        self.calls.append(call)
        finished = False
        try:
            yield call
            finished = True
        except UpstreamError as error:
            error.deployment = deployment.name
            finished = True
            raise
        finally:
            call.aborted = not finished
            call.ended.set()

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        """List the script's models; where it names none, the deployment's own."""
        script = self._scripts[deployment]
        names = script.served or (deployment.model,)
        return [Served(name=name, window=script.window) for name in names]

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        """Count words, each with the blanks before it; None where the script has no tokenizer."""
        return _count(text) if self._scripts[deployment].tokenizer else None

    async def aclose(self) -> None:
        """Let nobody wait any longer."""
        for gate in self._gates.values():
            gate.release()

    async def _play(self, script: Script, tokens: Sequence[str], choices: int) -> Deltas:
        for index in range(choices):
            for thought in script.reasoning:
                yield Delta(reasoning=thought, index=index)
            for position, token in enumerate(tokens):
                if position:
                    await _pause(script.delay)
                await self._stop_at(script, position)
                yield Delta(text=token, index=index)
            await self._stop_at(script, len(tokens))
            if script.tool_calls:
                calls = [{"index": at, **call} for at, call in enumerate(script.tool_calls)]
                yield Delta(tool_calls=calls, index=index)
            yield Delta(finish_reason=script.finish_reason, index=index)

    async def _stop_at(self, script: Script, position: int) -> None:
        """Wait, hang or fail where the script says so."""
        if script.gate and position == script.gate_after:
            await self.gate(script.gate).passed()
        if script.hang and not position:
            await asyncio.get_running_loop().create_future()
        if script.error is not None and position == script.error_after:
            raise UpstreamError(
                script.error,
                script.error_message,
                status=script.error_status,
                retry_after=script.retry_after,
            )


def _read(deployment: Deployment) -> Script:
    try:
        return msgspec.convert(deployment.options, Script)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        name = f"options{path.rstrip('`')}"
        raise ConfigError(
            f"The deployment '{deployment.name}': {name}: {what}.", param=name
        ) from None


async def _pause(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)


def _tokens(script: Script, prompt: Prompt, params: Params) -> tuple[str, ...]:
    """Return what is said, no more than the caller wants."""
    tokens = tuple(_TOKEN.findall(text_of(prompt))) if script.echo else script.tokens
    return tokens[: params.max_tokens]


def _usage(prompt: Prompt, tokens: Sequence[str], choices: int) -> Usage:
    return Usage(prompt_tokens=_count(text_of(prompt)), completion_tokens=len(tokens) * choices)


def _vector(text: str, dimensions: int) -> list[float]:
    """Return a direction for a text: the same for the same text, unlike those of others."""
    random = Random(text)  # noqa: S311 -- nothing secret
    drawn = [random.gauss(0.0, 1.0) for _ in range(dimensions)]
    length = math.hypot(*drawn)
    return [each / length for each in drawn]


def _count(text: str) -> int:
    return len(_TOKEN.findall(text))
