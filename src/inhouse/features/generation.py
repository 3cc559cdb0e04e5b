"""Generation: write code from an instruction."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from inhouse.core.delta import Delta
from inhouse.core.requests import GenerationRequest
from inhouse.features.asking import Asking
from inhouse.features.fences import CodeOnly
from inhouse.features.shaping import shaped
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
        deltas = self._asking.stream(
            target,
            recording,
            output_tokens=request.params.max_tokens or self._asking.settings.generation_max_tokens,
            render=lambda family, budget: render_generation(request, family, budget),
        )
        code = shaped(deltas, CodeOnly, request.params.n, lambda: recording.usage)
        async with contextlib.aclosing(code):
            async for delta in code:
                yield delta
