"""Generation: write code from an instruction."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from inhouse.core.delta import Delta
from inhouse.core.requests import GenerationRequest
from inhouse.features.asking import AFFINITY, Asking
from inhouse.features.fences import CodeOnly
from inhouse.features.reasoning import Unthinking
from inhouse.prompts import render_generation
from inhouse.records.recording import Recording
from inhouse.routing.target import Target


class Generation:
    """Writes code, and nothing but code, for the place of the cursor."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    async def stream(
        self, request: GenerationRequest, target: Target, recording: Recording
    ) -> AsyncGenerator[Delta]:
        """Yield the code as it is written, without the fences and prose around it."""
        size = len(request.instruction) + len(request.prefix) + len(request.suffix)
        usual = self._asking.settings.generation_max_tokens
        most = request.params.n * (request.params.max_tokens or usual)
        async with self._asking.admitted(target, recording, size, most) as watch:
            deltas = self._asking.stream(
                target,
                recording,
                request.params,
                watch,
                affinity=request.path or request.prefix[:AFFINITY],
                output_tokens=usual,
                render=lambda family, budget: render_generation(request, family, budget),
                shaper=lambda _: Unthinking(CodeOnly),
            )
            async with contextlib.aclosing(deltas):
                async for delta in deltas:
                    yield delta
