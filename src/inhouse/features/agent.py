"""Agent: take one step of a conversation with tools."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from inhouse.core.agent import (
    Action,
    AgentEvent,
    AgentRequest,
    AnswerDelta,
    Failed,
    Unformatted,
    tool_name,
)
from inhouse.features.agent_reading import Reading
from inhouse.features.asking import AFFINITY, Asking
from inhouse.features.chat import USUAL_TOKENS
from inhouse.features.reasoning import Unthinking
from inhouse.features.shaping import Shaper
from inhouse.prompts import render_step
from inhouse.records.recording import Recording
from inhouse.routing.target import Target

LONGEST = 4096
"""Tokens that a step may have: a thought, and a tool's input or a whole answer."""
NO_TOOL = "tool not available"
"""What GitLab looks for in an error's message, to tell its user so."""
SAID_NOTHING = "The model's answer is empty."


class Agent:
    """Asks for the next step in words that every model that chats understands."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    async def stream(
        self, request: AgentRequest, target: Target, recording: Recording
    ) -> AsyncGenerator[AgentEvent]:
        """Yield the final answer as it is written, or one event of another kind.

        The upstream is left as soon as a tool and its input are complete.
        """
        heard = Heard()
        finish_reason = "stop"
        size = sum(len(turn.text) for turn in request.turns)
        async with self._asking.admitted(target, recording, size, USUAL_TOKENS) as watch:
            deltas = self._asking.stream(
                target,
                recording,
                request.params,
                watch,
                affinity=request.turns[0].text[:AFFINITY],
                output_tokens=LONGEST,
                render=lambda family, budget: render_step(request, family, budget),
                shaper=lambda _: heard.anew(),
            )
            async with contextlib.aclosing(deltas):
                async for delta in deltas:
                    finish_reason = delta.finish_reason or finish_reason
                    if delta.text:
                        yield AnswerDelta(text=delta.text)
        last = heard.concluded(request.tools, finish_reason)
        if isinstance(last, Failed):
            recording.warn(f"The step failed: {last.message}")
        yield last


class Heard:
    """What a model has written in one step: its last attempt counts, without its reasoning."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._reading = Reading()

    def anew(self) -> Shaper:
        """Return what shows the final answer, of an attempt that begins now."""
        return Unthinking(self._read)

    def concluded(self, tools: tuple[str, ...], finish_reason: str) -> AgentEvent:
        """Return the last event of a step that has ended; `tools` are those that can be run."""
        reading = self._reading
        if reading.answered:
            return AnswerDelta(text="", finish_reason=finish_reason)
        called = reading.called
        tool = None if called is None else _resolved(called.tool, tools)
        if called is not None and tool is not None:
            return Action(thought=called.thought, tool=tool, tool_input=called.tool_input or "")
        if called is not None and called.tool_input is not None:
            return Failed(message=f"{NO_TOOL}: {tool_name(called.tool)[:100]}", retryable=False)
        if reading.text:
            return Unformatted(text=reading.text)
        return Failed(message=SAID_NOTHING, retryable=True)

    def _read(self) -> Shaper:
        self._reading = Reading()
        return self._reading


def _resolved(named: str, tools: tuple[str, ...]) -> str | None:
    """Return the tool that the model means, which may stand among other words."""
    name = tool_name(named)
    if name in tools:
        return name
    meant = [tool for tool in tools if tool in name]
    return meant[0] if len(meant) == 1 else None
