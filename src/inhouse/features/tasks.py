"""Tasks: what is asked for by name, with a prompt of ours."""

from __future__ import annotations

import contextlib

from inhouse.core.delta import Deltas
from inhouse.core.requests import ChatRequest, CompletionRequest, Params
from inhouse.families import Family
from inhouse.features.asking import AFFINITY, Asking, Render, Shape
from inhouse.features.objects import OneObject
from inhouse.features.reasoning import Unthinking
from inhouse.features.shaping import Shaper, Verbatim
from inhouse.features.wrapping import Unwrapped
from inhouse.prompts import (
    AnswerForm,
    Budget,
    Rendered,
    TaskRequest,
    render_completion,
    render_prepared,
    render_task,
)
from inhouse.records.recording import Recording
from inhouse.routing.target import Target

USUAL_TOKENS = 2048
"""The usual longest answer to a conversation that another program has written."""
BEGUN = "def add(a, b):\n    return "
"""What a model that cannot chat is to complete, to show that it works."""
SAID_NOTHING = "The model's answer is empty."

_SHAPES: dict[AnswerForm, type[Shaper]] = {
    AnswerForm.TEXT: Verbatim,
    AnswerForm.UNWRAPPED: Unwrapped,
    AnswerForm.JSON: OneObject,
}


class Tasks:
    """Answers from prompts that fit, without what the model thinks on the way."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    def stream(self, request: TaskRequest, target: Target, recording: Recording) -> Deltas:
        """Yield the answer to a task; one that is a JSON object comes in one piece."""
        task = request.task
        return self._stream(
            task.output_tokens,
            request.params,
            target,
            recording,
            render=lambda family, budget: render_task(request, family, budget),
            shaper=lambda _: Unthinking(_SHAPES[task.answer]),
            size=sum(len(request.inputs.get(name, "")) for name in task.inputs),
            affinity=task.template,
        )

    def prepared(self, request: ChatRequest, target: Target, recording: Recording) -> Deltas:
        """Yield the answer to a conversation that another program has written."""
        texts = [each.content for each in request.messages if isinstance(each.content, str)]
        return self._stream(
            USUAL_TOKENS,
            request.params,
            target,
            recording,
            render=lambda family, budget: render_prepared(request, family, budget),
            shaper=lambda _: Unthinking(Verbatim),
            size=sum(map(len, texts)),
            affinity=texts[0][:AFFINITY] if texts else "",
        )

    def check(self, request: TaskRequest, target: Target, recording: Recording) -> Deltas:
        """Yield whatever the model says to a short question: reasoning too shows that it works.

        A model that cannot chat completes a line instead.
        """
        line = CompletionRequest(prefix=BEGUN, suffix="\n", params=request.params)

        def render(family: Family, budget: Budget) -> Rendered:
            if family.chat:
                return render_task(request, family, budget)
            return render_completion(line, family, budget)

        return self._stream(
            request.task.output_tokens,
            request.params,
            target,
            recording,
            render=render,
            shaper=lambda _: Verbatim(),
            size=len(BEGUN),
            affinity=request.task.template,
        )

    async def _stream(
        self,
        output_tokens: int,
        params: Params,
        target: Target,
        recording: Recording,
        *,
        render: Render,
        shaper: Shape,
        size: int,
        affinity: str,
    ) -> Deltas:
        most = params.max_tokens or output_tokens
        async with self._asking.admitted(target, recording, size, most) as watch:
            deltas = self._asking.stream(
                target,
                recording,
                params,
                watch,
                affinity=affinity,
                output_tokens=output_tokens,
                render=render,
                shaper=shaper,
            )
            said = False
            async with contextlib.aclosing(deltas):
                async for delta in deltas:
                    said = said or bool(delta.text.strip())
                    yield delta
            if not said:
                recording.warn(SAID_NOTHING)
