"""Chat: continue a conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from inhouse.core.delta import Delta
from inhouse.core.requests import ChatRequest
from inhouse.features.asking import AFFINITY, Asking
from inhouse.prompts import render_chat
from inhouse.records.recording import Recording
from inhouse.routing.target import Target

USUAL_TOKENS = 512
"""What an answer reserves of its caller's limits where no longest one is named."""


class Chat:
    """Answers as the model does: nothing is cut, tools and formats pass through."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    def stream(
        self, request: ChatRequest, target: Target, recording: Recording
    ) -> AsyncGenerator[Delta]:
        """Yield the answer as it is written."""
        params = request.params
        most = params.n * (params.max_tokens or USUAL_TOKENS)
        texts = [message.text for message in request.messages]
        return self._asking.untouched(
            target,
            recording,
            self._asking.admitted(target, recording, sum(map(len, texts)), most),
            affinity="\n".join([text[:AFFINITY] for text in texts[:2]]),
            render=lambda family: render_chat(request, family, target.feature),
        )
