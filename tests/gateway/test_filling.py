"""Models that only chat serve completion, from a developer's editor to the upstream and back."""

from pathlib import Path

import pytest

from tests.fakes.anthropic import MODEL, FakeAnthropic
from tests.server.serving import DEVELOPER, Served, configuration, route, scripted, serving

PREFIX = "def area(r):\n    "
WRAPPED = [
    "<think>",
    "Pi.",
    "</think>\n",
    "Sure!\n\n",
    "```py",
    "thon\nx = ",
    "3 * r\nreturn x\n",
    "```",
]
FITTING = "x = 3 * r\n    return x"
DESCRIBED = ["The function ", "should return the area ", "of the circle."]


def claude(endpoint: str) -> str:
    """Return TOML that declares a deployment at a fake of Anthropic's API."""
    return f"""
[[deployments]]
name = "claude"
family = "claude"
identifier = "anthropic/{MODEL}"
endpoint = "{endpoint}"
api_key = "sk-hush"
"""


async def completed(served: Served, prefix: str = PREFIX, **more: object) -> str:
    body = {"model": "completion", "prompt": prefix, "suffix": "\n"} | more
    reply = await served.ask("POST", "/v1/completions", key=DEVELOPER, content=body)
    return reply.json["choices"][0]["text"]


@pytest.mark.parametrize(
    ("family", "options"), [("general", {}), ("codestral", {"takes_text": False})]
)
@pytest.mark.parametrize(("tokens", "shown"), [(WRAPPED, FITTING), (DESCRIBED, "")])
async def test_an_answer_to_an_instruction_is_made_to_fit(
    tmp_path: Path, family: str, options: dict[str, object], tokens: list[str], shown: str
) -> None:
    declared = scripted("talks", family=family, tokens=tokens, **options)
    config = configuration(tmp_path, declared + route("completion", "talks"))
    async with serving(config) as served:
        assert (await completed(served)).rstrip() == shown
        (call,) = served.scripted.calls
    assert "{CURSOR}" in str(call.prompt)


async def test_an_answer_to_a_prompt_with_sentinels_stays_as_it_is(tmp_path: Path) -> None:
    declared = scripted("fills", family="codestral", tokens=DESCRIBED)
    config = configuration(tmp_path, declared + route("completion", "fills"))
    async with serving(config) as served:
        assert await completed(served) == "".join(DESCRIBED)


async def test_the_caller_s_stops_are_about_the_code(tmp_path: Path) -> None:
    declared = scripted("talks", tokens=WRAPPED)
    config = configuration(tmp_path, declared + route("completion", "talks"))
    async with serving(config) as served:
        assert await completed(served, stop=["\n"]) == "x = 3 * r"
        (call,) = served.scripted.calls
    assert call.params.stop == ()


async def test_the_prompt_s_mark_does_not_come_back(tmp_path: Path) -> None:
    declared = scripted("echoes", tokens=["{CUR", "SOR}", "return r", "{CURSOR}", "\n# more"])
    config = configuration(tmp_path, declared + route("completion", "echoes"))
    async with serving(config) as served:
        assert await completed(served) == "return r"


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(("words", "shown"), [(WRAPPED[3:], FITTING), (DESCRIBED, "")])
async def test_a_completion_from_anthropic(
    tmp_path: Path, words: list[str], shown: str, n: int
) -> None:
    async with FakeAnthropic() as server:
        server.words = words
        server.thoughts = ["Three ", "is near."]
        config = configuration(tmp_path, claude(server.url) + route("completion", "claude"))
        async with serving(config) as served, served.client() as client:
            answer = await client.completions.create(
                model="completion", prompt=PREFIX, suffix="\n", max_tokens=50, n=n, stop=["\n\n\n"]
            )
            (trace,) = await served.traces()
    assert [each.text.rstrip() for each in answer.choices] == [shown] * n
    assert (trace.deployments, trace.failures) == (("claude",), ())
    assert all("{CURSOR}" in str(each["messages"]) for each in server.asked())


async def test_a_chat_and_its_thoughts_from_anthropic(tmp_path: Path) -> None:
    async with FakeAnthropic() as server:
        server.thoughts = ["Let me see."]
        config = configuration(tmp_path, claude(server.url) + route("chat", "claude"))
        async with serving(config) as served, served.client() as client:
            answer = await client.chat.completions.create(
                model="chat", messages=[{"role": "user", "content": "hi"}], max_tokens=2
            )
    (choice,) = answer.choices
    assert (choice.message.content, choice.finish_reason) == (" w0 w1", "length")
    assert choice.message.to_dict()["reasoning_content"] == "Let me see."
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


async def test_a_generation_is_code_without_its_reasoning(tmp_path: Path) -> None:
    declared = scripted("talks", tokens=["The user wants x.\n", "</think>\n", *WRAPPED[3:]])
    config = configuration(tmp_path, declared + route("generation", "talks"))
    async with serving(config) as served, served.client() as client:
        answer = await client.chat.completions.create(
            model="generation", messages=[{"role": "user", "content": "Compute the area."}]
        )
    assert answer.choices[0].message.content == "x = 3 * r\nreturn x"


async def test_says_what_is_wrong_with_a_deployment(tmp_path: Path) -> None:
    async with FakeAnthropic(api_key="another") as server:
        config = configuration(tmp_path, claude(server.url) + route("completion", "claude"))
        async with serving(config) as served:
            reply = await served.ask("POST", "/api/v1/deployments/claude/test")
    assert reply.status == 200
    assert "api_key" in reply.body.decode()
    assert "sk-hush" not in reply.body.decode()
