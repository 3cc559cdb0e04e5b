"""A conversation as GitLab's background job leads it: one step a request, tools in between."""

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp

from tests.gitlab.drivers.rails import Rails

STEPS = 10
RETRIES = 2
PATIENCE = 60.0
_EVENT = re.compile(rb"(\{.*\})\n")
_CODES = {"tool not available": "G3001", "prompt is too long": "A1005"}

Tools = dict[str, Callable[[str], str]]


class FailedStepError(Exception):
    """What GitLab shows instead of an answer is this code."""

    def __init__(self, code: str, *, retryable: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.retryable = retryable


class Ended(NamedTuple):
    """How a conversation ended: with an answer, or with GitLab's code of an error.

    `requests` were needed for it.
    """

    answer: str
    observed: list[str]
    requests: int
    code: str = ""


async def converse(rails: Rails, question: str, tools: Tools, **message: Any) -> Ended:
    """Ask, run tools, and ask again until there is an answer."""
    steps: list[dict[str, str]] = []
    asked = 0
    failures = 0
    while len(steps) < STEPS:
        asked += 1
        try:
            action, text = await _step(rails, question, steps, message)
        except FailedStepError as error:
            failures += 1
            if not error.retryable or failures > RETRIES:
                return _ended("", steps, asked, error.code)
            continue
        failures = 0
        if action is None:
            return _ended(text, steps, asked)
        run = tools.get(action["tool"])
        if run is None:
            return _ended("", steps, asked, "unknown tool")
        steps.append({**action, "observation": run(action["tool_input"])})
    return _ended("", steps, asked, "A1006")


def _ended(answer: str, steps: list[dict[str, str]], requests: int, code: str = "") -> Ended:
    return Ended(answer, [each["observation"] for each in steps], requests, code)


async def _step(
    rails: Rails, question: str, steps: list[dict[str, str]], message: dict[str, Any]
) -> tuple[dict[str, str] | None, str]:
    """Return the tool to run, or the text of the answer; raises FailedStepError."""
    try:
        raw = await rails.clock.within(PATIENCE, _asked(rails, question, steps, message))
    except TimeoutError as error:
        raise FailedStepError("A1000") from error
    except aiohttp.ClientPayloadError as error:
        raise FailedStepError("A1003") from error
    events = [json.loads(found) for found in _EVENT.findall(raw)]
    text = ""
    for event in events:
        data = event.get("data", {})
        match event["type"]:
            case "action":
                return data, ""
            case "final_answer_delta" | "unknown":
                text += data["text"]
            case "error":
                code = _CODES.get(data["message"], "A1004")
                raise FailedStepError(code, retryable=data["retryable"])
            case _:
                pass  # an older GitLab knows no more
    if not events:
        raise FailedStepError("A1002")
    return None, text


async def _asked(
    rails: Rails, question: str, steps: list[dict[str, str]], message: dict[str, Any]
) -> bytes:
    async with rails.ask("/v2/chat/agent", _body(rails, question, steps, message)) as answer:
        if answer.status != HTTPStatus.OK:
            raise FailedStepError(f"HTTP {answer.status}")
        return await answer.read()


def _body(
    rails: Rails, question: str, steps: list[dict[str, str]], message: dict[str, Any]
) -> dict[str, Any]:
    nothing = {"context": None, "current_file": None, "additional_context": None}
    messages: list[Any] = [{"role": "user", "content": question, **nothing, **message}]
    if steps:
        scratchpad = [
            {
                "action": {"type": "action", **{each: step[each] for each in _ACTION}},
                "observation": step["observation"],
            }
            for step in steps
        ]
        messages.append({"role": "assistant", "content": None, "agent_scratchpad": scratchpad})
    return {
        "messages": messages,
        "unavailable_resources": ["Pipelines", "Vulnerabilities"],
        "model_metadata": rails.model_metadata or None,
        "options": {"agent_scratchpad": {"agent_type": "react", "steps": steps}},
    }


_ACTION = ("thought", "tool", "tool_input")
