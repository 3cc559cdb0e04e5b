"""Chat: continue a conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from inhouse.core.delta import Delta
from inhouse.core.requests import ChatRequest
from inhouse.features.asking import Asking
from inhouse.prompts import render_chat
from inhouse.records.recording import Recording
from inhouse.routing.target import Target


class Chat:
    """Answers as the model does: nothing is cut, tools and formats pass through."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    def stream(
        self, request: ChatRequest, target: Target, recording: Recording
    ) -> AsyncGenerator[Delta]:
        """Yield the answer as it is written."""
        return self._asking.untouched(
            target,
            recording,
            render=lambda family: render_chat(request, family, target.feature),
        )
