"""A driver that converses as GitLab's Rails does: it runs tools and asks again, up to ten times."""

import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct, field

from tests.server.serving import DEVELOPER, Served

EVENT = re.compile(rb"(\{.*\})\n")
MOST_STEPS = 10

Tool = Callable[[str], str]


class Conversed(Struct):
    """What came of a question: the answer as Rails puts it together, and what happened before.

    `error` is the message of an error event, `kinds` are the types of all events of each request.
    """

    answer: str = ""
    error: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    kinds: list[list[str]] = field(default_factory=list[list[str]])
    usage: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class Rails:
    """Asks one question at a time, and keeps the history.

    `older` sends the steps in the form of GitLabs before the scratchpad went into the messages.
    """

    def __init__(
        self,
        served: Served,
        tools: dict[str, Tool],
        headers: dict[str, str] | None = None,
        *,
        older: bool = False,
    ) -> None:
        """Tools are known by Rails's names for them, such as ``IssueReader``."""
        self.history: list[dict[str, Any]] = []
        self._url = served.url + "/v2/chat/agent"
        self._tools = tools
        self._headers = headers or {"Authorization": f"Bearer {DEVELOPER}"}
        self._older = older

    async def ask(self, question: str) -> Conversed:
        """Return what came of a question, which is then part of the history with its answer."""
        conversed = Conversed()
        for _ in range(MOST_STEPS):
            action = await self._step(question, conversed)
            if action is None:
                said = ({"role": "user", "content": question}, _assistant(conversed.answer))
                self.history.extend(said)
                return conversed
            name = "".join(word.capitalize() for word in action["tool"].split("_"))
            observation = self._tools[name](action["tool_input"])
            conversed.steps.append(
                {"action": {"type": "action", **action}, "observation": observation}
            )
        conversed.error = "A1006"
        return conversed

    async def _step(self, question: str, conversed: Conversed) -> dict[str, Any] | None:
        """Ask for one step; return the action, None where there was an answer or an error."""
        action: dict[str, Any] | None = None
        kinds: list[str] = []
        async for event in self._events(self._body(question, conversed.steps)):
            assert action is None or event["type"] == "usage", "An action is the last event."
            assert "usage" not in kinds, "The usage stands behind everything."
            kinds.append(event["type"])
            data = event["data"]
            match event["type"]:
                case "action":
                    action = data
                case "final_answer_delta" | "unknown":
                    conversed.answer += data["text"]
                case "error":
                    conversed.error = data["message"]
                case "usage":
                    conversed.usage.append(data["usage"])
                case kind:
                    raise AssertionError(f"Rails knows no event '{kind}'.")
        conversed.kinds.append(kinds)
        return action

    def _body(self, question: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
        messages = [*self.history, {"role": "user", "content": question}]
        if self._older:
            told = [{**step["action"], "observation": step["observation"]} for step in steps]
            pad = {"agent_type": "react", "steps": told}
            return {"messages": messages, "options": {"agent_scratchpad": pad}}
        if steps:
            messages.append({**_assistant(None), "agent_scratchpad": steps})
        return {"messages": messages, "unavailable_resources": ["Pipelines", "Vulnerabilities"]}

    async def _events(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """Yield the events as soon as their line is complete; nothing else may be in the stream."""
        headers = {"X-Gitlab-Version": "18.5.0", **self._headers}
        buffer = b""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._url, data=msgspec.json.encode(body), headers=headers) as answer,
        ):
            assert answer.status == 200, await answer.text()
            async for piece in answer.content.iter_any():
                buffer += piece
                while (found := EVENT.match(buffer)) is not None:
                    yield msgspec.json.decode(found[1])
                    buffer = buffer[found.end() :]
        assert not buffer, f"This is no event: {buffer!r}"


def _assistant(content: str | None) -> dict[str, Any]:
    return {"role": "assistant", "content": content}
