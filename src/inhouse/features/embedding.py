"""Embedding: turn text into vectors."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from inhouse.core import ports
from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Embedded, Usage
from inhouse.core.ports import Provider
from inhouse.core.requests import EmbeddingRequest, Params
from inhouse.errors import ConfigError
from inhouse.features.asking import CHARACTERS_PER_TOKEN, Asking
from inhouse.records.recording import Recording
from inhouse.routing.attempt import Asked
from inhouse.routing.target import Target


def embedder(provider: Provider, deployment: Deployment) -> ports.Embedding:
    """Return the provider as one that embeds; raises `ConfigError` where it does not."""
    if not isinstance(provider, ports.Embedding):
        raise ConfigError(
            f"models at '{deployment.provider}/…' turn no text into vectors. Route 'embedding' to"
            " a model at 'custom_openai/…', 'openai/…' or 'azure/…'.",
            param="identifier",
        )
    return provider


class Embedding:
    """Embeds with the first deployment of a target that can."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    async def embed(
        self, request: EmbeddingRequest, target: Target, recording: Recording
    ) -> Embedded:
        """Return a vector a text; nobody is asked where there is none.

        Raises:
            LimitError: the key or team has used up its minute.
            UpstreamError: no deployment answered.

        """
        if not request.texts:
            return Embedded(vectors=[], usage=Usage())
        size = sum(map(len, request.texts))
        found: list[Embedded] = []

        async def prepare(deployment: Deployment, provider: Provider) -> Asked:
            embed = embedder(provider, deployment).embed

            async def begin(params: Params) -> AsyncGenerator[Delta]:
                answer = await embed(deployment, request.texts, request.dimensions, params)
                found[:] = [answer]
                counted = Usage(prompt_tokens=max(1, int(size / CHARACTERS_PER_TOKEN)))
                yield Delta(finish_reason="stop", usage=answer.usage or counted)

            return Asked(request.params, begin)

        admission = self._asking.admitted(target, recording, size, 0)
        deltas = self._asking.prepared(target, recording, admission, prepare)
        async with contextlib.aclosing(deltas):
            async for _ in deltas:
                pass
        return found[0]
