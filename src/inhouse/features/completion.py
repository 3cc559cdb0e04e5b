"""Completion: fill in at the cursor."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from inhouse.core.delta import Delta
from inhouse.core.requests import CompletionRequest
from inhouse.features.asking import Asking
from inhouse.features.trim import Trimmer
from inhouse.prompts import render_completion
from inhouse.records.recording import Recording
from inhouse.routing.target import Target


class Completion:
    """Suggests what goes between the code before the cursor and the code behind it."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    def stream(
        self, request: CompletionRequest, target: Target, recording: Recording
    ) -> AsyncGenerator[Delta]:
        """Yield the suggestion as it is written, ended where the code behind the cursor begins."""
        return self._asking.stream(
            target,
            recording,
            request.params,
            output_tokens=self._asking.settings.completion_max_tokens,
            render=lambda family, budget: render_completion(request, family, budget),
            shaper=lambda _: Trimmer(request.prefix, request.suffix),
        )
