"""Small questions that show whether a deployment answers, and how its answer arrives."""

from __future__ import annotations

import contextlib
import time

import msgspec
from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.ports import Provider
from inhouse.core.requests import ChatRequest, CompletionRequest, Message, Params
from inhouse.families import Family
from inhouse.features.embedding import embedder
from inhouse.prompts import Budget, Rendered, render_chat, render_completion

PREFIX = '''def area(width, height):
    """Return the area of a rectangle."""
    return width * height


def perimeter(width, height):
    """Return the length of a rectangle's border."""
    return '''
SUFFIX = """


def is_square(width, height):
    return width == height
"""
QUESTION = "Count from one to twenty in words, separated by commas."
MAX_TOKENS = 48
ENOUGH_TOKENS = 8
"""Tokens of an answer from which its arrival tells something."""
LUMP_SHARE = 0.1
"""A stream whose pieces all come in the last tenth of the time was held back."""
LUMP_MILLISECONDS = 250.0
"""Faster answers may come in one piece without anybody's fault."""


class Heard(Struct, frozen=True, kw_only=True):
    """An answer and how it came: `spread` are the milliseconds from its first piece to its last."""

    text: str
    deltas: int
    tokens: int
    milliseconds: float
    spread: float

    @property
    def buffered(self) -> bool:
        """Whether something between the model and us held the stream back."""
        held = self.deltas == 1 or self.spread < LUMP_SHARE * self.milliseconds
        return held and self.milliseconds > LUMP_MILLISECONDS


class Vector(Struct, frozen=True, kw_only=True):
    """What came of text that was embedded."""

    dimensions: int
    milliseconds: float


async def complete(provider: Provider, deployment: Deployment, family: Family) -> Heard:
    """Let the deployment fill in a line of Python; raises as `Provider.stream` does."""
    request = CompletionRequest(
        prefix=PREFIX, suffix=SUFFIX, path="shapes.py", params=Params(max_tokens=MAX_TOKENS)
    )
    budget = Budget(
        window=family.window, prefix_tokens=256, suffix_tokens=128, output_tokens=MAX_TOKENS
    )
    rendered = render_completion(request, family, budget)
    # Without the family's stops, so that special tokens that come back as text are seen.
    params = msgspec.structs.replace(rendered.params, stop=())
    return await _hear(provider, deployment, msgspec.structs.replace(rendered, params=params))


async def chat(provider: Provider, deployment: Deployment, family: Family) -> Heard:
    """Ask the deployment a short question; raises as `Provider.stream` does."""
    message = Message(role="user", content=QUESTION)
    request = ChatRequest(messages=(message,), params=Params(max_tokens=MAX_TOKENS))
    return await _hear(provider, deployment, render_chat(request, family))


async def embed(provider: Provider, deployment: Deployment) -> Vector:
    """Have a line of Python embedded.

    Raises as `Provider.stream` does, `ConfigError` also where the provider cannot embed at all.
    """
    began = time.perf_counter()
    found = await embedder(provider, deployment).embed(deployment, (PREFIX,), None, Params())
    return Vector(
        dimensions=len(found.vectors[0]), milliseconds=1000 * (time.perf_counter() - began)
    )


async def _hear(provider: Provider, deployment: Deployment, rendered: Rendered) -> Heard:
    began = first = last = time.perf_counter()
    texts: list[str] = []
    tokens = 0
    stream = provider.stream(deployment, rendered.prompt, rendered.params)
    async with contextlib.aclosing(stream) as deltas:
        async for delta in deltas:
            if delta.text or delta.reasoning:
                last = time.perf_counter()
                first = last if not texts else first
                # A model that thinks before it speaks has answered as well.
                texts.append(delta.text or delta.reasoning)
            if delta.usage is not None:
                tokens = delta.usage.completion_tokens
    return Heard(
        text="".join(texts),
        deltas=len(texts),
        tokens=max(tokens, len(texts)),
        milliseconds=1000 * (time.perf_counter() - began),
        spread=1000 * (last - first),
    )
