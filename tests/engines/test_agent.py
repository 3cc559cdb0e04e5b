"""Conversations of several steps with a real engine: GitLab's driver, the gateway, real tokens."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from inhouse.core.trace import Outcome
from tests.engines.conftest import Fleet
from tests.engines.engine import DIALECTS, POLL_SECONDS, SLOW, SMALL, Engine
from tests.engines.steering import Fields, steered
from tests.gitlab.conversing import Rails, Tool
from tests.server.serving import configuration, route, serving

ASKED = 3
"""Tools that the model must ask for before it may answer."""

TOOLS = ("IssueReader", "GitlabDocumentation", "EpicReader")

# The same two forms, as llama.cpp and vLLM take them.
FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "llama": (
        {
            "grammar": 'root ::= "Thought: " [a-z] [a-z ]{5,40} "\\nAction: "'
            ' ("issue_reader" | "IssueReader" | "`gitlab_documentation`" | "epic\\\\_reader")'
            ' "\\n" ("- " | "**")? "Action Input: " [a-z] [a-z0-9 ]{3,30} "\\nObservation:"'
        },
        {
            "grammar": 'root ::= "Thought: " [a-z] [a-z ]{5,40} "\\nFinal Answer: "'
            " [a-z] [a-z .,\\n*`#_-]{40,160} [a-z]"
        },
    ),
    "vllm": (
        {
            "structured_outputs": {
                "regex": r"Thought: [a-z][a-z ]{5,40}\nAction: "
                r"(issue_reader|IssueReader|`gitlab_documentation`|epic\\_reader)"
                r"\n(- |\*\*)?Action Input: [a-z][a-z0-9 ]{3,30}\nObservation:"
            }
        },
        {
            "structured_outputs": {
                "regex": r"Thought: [a-z][a-z ]{5,40}\nFinal Answer: "
                r"[a-z][a-z .,\n*`#_\-]{40,160}[a-z]"
            }
        },
    ),
}


def forms(engine: Engine) -> Fields:
    action, answer = FORMS[engine.name]

    def fields(messages: list[dict[str, Any]]) -> dict[str, Any]:
        taken = sum(str(each["content"]).startswith("Observation: ") for each in messages)
        return answer if taken >= ASKED else action

    return fields


def declared(endpoint: str, engine: Engine) -> str:
    return (
        f'[[deployments]]\nname = "talks"\nfamily = "general"\nendpoint = "{endpoint}/v1"\n'
        f'identifier = "custom_openai/{engine.model}"\n' + route("chat", "talks")
    )


@pytest.mark.parametrize("older", [False, True], ids=["in messages", "in options"])
@pytest.mark.parametrize("name", list(DIALECTS))
async def test_a_conversation_of_several_steps(
    name: str, older: bool, fleet: Fleet, tmp_path: Path
) -> None:
    engine = fleet.get(name, SMALL)
    ran: list[str] = []

    def tool(tool_input: str) -> str:
        ran.append(tool_input)
        return f"Nothing is known of {tool_input}."

    tools: dict[str, Tool] = dict.fromkeys(TOOLS, tool)
    async with (
        steered(engine, forms(engine)) as url,
        serving(configuration(tmp_path, declared(url, engine))) as served,
    ):
        rails = Rails(served, tools, older=older)
        first = await rails.ask("What became of issue 3?")
        rails.history.clear()
        second = await rails.ask("And of epic 4?")
        traces = await served.traces()
    for conversed in (first, second):
        assert conversed.error == ""
        assert conversed.kinds[:ASKED] == [["action", "usage"]] * ASKED
        (*answers, last) = conversed.kinds[ASKED]
        assert last == "usage"
        assert set(answers) == {"final_answer_delta"}
        assert len(answers) > 1
        assert 42 <= len(conversed.answer) <= 162
        thoughts = [step["action"]["thought"] for step in conversed.steps]
        assert all(thought.replace(" ", "").isalpha() for thought in thoughts)
        counts = [usage[engine.model] for usage in conversed.usage]
        inputs = [count["input_tokens"] for count in counts]
        assert inputs == sorted(set(inputs)), "Each prompt is longer than the one before."
        assert all(count["output_tokens"] > 10 for count in counts)
    assert len(ran) == 2 * ASKED
    assert all(words.replace(" ", "").isalnum() for words in ran)
    assert {each.outcome for each in traces} == {Outcome.OK}


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_what_keeps_to_no_form_is_quoted(name: str, fleet: Fleet, tmp_path: Path) -> None:
    engine = fleet.get(name, SMALL)
    async with serving(configuration(tmp_path, declared(engine.base_url, engine))) as served:
        conversed = await Rails(served, {}).ask("Hello")
    assert conversed.kinds == [["unknown", "usage"]]
    assert conversed.answer


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_an_endless_question_is_too_long(name: str, fleet: Fleet, tmp_path: Path) -> None:
    engine = fleet.get(name, SMALL)
    async with serving(configuration(tmp_path, declared(engine.base_url, engine))) as served:
        conversed = await Rails(served, {}).ask("word " * 8000)
    assert conversed.kinds == [["error"]]
    assert conversed.error.startswith("prompt is too long: ")


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_a_hang_up_stops_the_engine_while_nothing_is_shown_yet(
    name: str, fleet: Fleet, tmp_path: Path
) -> None:
    engine = fleet.get(name, SLOW)
    before = await engine.settled()
    async with serving(configuration(tmp_path, declared(engine.base_url, engine))) as served:
        async with anyio.create_task_group() as callers:
            callers.start_soon(Rails(served, {}).ask, "Tell me a long story.")
            # An engine that still reads the prompt notices only when it has read it.
            with anyio.fail_after(60):
                while await engine.tokens_generated() < before + 5:  # noqa: ASYNC110 - another process
                    await anyio.sleep(POLL_SECONDS)
            callers.cancel_scope.cancel()
        with anyio.fail_after(60):
            while not (traces := await served.traces()):
                await anyio.lowlevel.checkpoint()
        generated = await engine.settled() - before
    assert [each.outcome for each in traces] == [Outcome.CANCELLED]
    assert generated < 400
