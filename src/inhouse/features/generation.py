"""Generation: write code from an instruction."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from inhouse.core.delta import Delta
from inhouse.core.requests import GenerationRequest
from inhouse.features.asking import Asking
from inhouse.features.fences import CodeOnly
from inhouse.prompts import render_generation
from inhouse.records.recording import Recording
from inhouse.routing.target import Target


class Generation:
    """Writes code, and nothing but code, for the place of the cursor."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    def stream(
        self, request: GenerationRequest, target: Target, recording: Recording
    ) -> AsyncGenerator[Delta]:
        """Yield the code as it is written, without the fences and prose around it."""
        return self._asking.stream(
            target,
            recording,
            request.params,
            output_tokens=self._asking.settings.generation_max_tokens,
            render=lambda family, budget: render_generation(request, family, budget),
            shaper=lambda _: CodeOnly(),
        )
