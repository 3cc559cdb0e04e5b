"""A GitLab is served: its admin's checks, its chat with tools, and its editors' streams."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.fakes.http import Exchange
from tests.fakes.openai import FakeOpenAI
from tests.gitlab.drivers.chat import PATIENCE, converse
from tests.gitlab.drivers.clock import Clock
from tests.gitlab.drivers.rails import HEALTH_PATIENCE, Rails
from tests.server.serving import configuration, route, serving

DEPLOYMENT = """
[[deployments]]
name = "gpu"
family = "{family}"
identifier = "custom_openai/tiny-coder"
endpoint = "{endpoint}"
"""
MODEL = {"name": "mistral", "identifier": "custom_openai/tiny-coder"}
ACTION = "Thought: I read it.\nAction: issue_reader\nAction Input: #7"
ANSWER = "Thought: I know.\nFinal Answer: It is about bees."


class Asking:
    """A GitLab, and the model behind its gateway."""

    def __init__(self, rails: Rails, upstream: FakeOpenAI) -> None:
        self.rails = rails
        self.upstream = upstream

    def will_say(self, *texts: str) -> None:
        for text in texts:
            pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
            self.upstream.faults.append(self.upstream.saying([pieces], "stop"))

    def will_refuse(self, status: int, times: int = 1) -> None:
        async def refuse(exchange: Exchange) -> None:
            await exchange.answer(status, b'{"error":{"message":"no such luck"}}')

        self.upstream.faults.extend([refuse] * times)

    def will_hang(self) -> None:
        async def hang(exchange: Exchange) -> None:
            await exchange.hang()

        self.upstream.faults.append(hang)


@contextlib.asynccontextmanager
async def gitlab(
    folder: Path, *, models: str = "registry", family: str = "general"
) -> AsyncGenerator[Asking]:
    """Serve a GitLab whose admin page names the model, by our routes or as it says."""
    async with FakeOpenAI() as upstream:
        model = {**MODEL, "endpoint": upstream.endpoint}
        deployment = DEPLOYMENT.format(family=family, endpoint=upstream.endpoint)
        routes = "".join(route(each, "gpu") for each in ("completion", "generation", "chat"))
        ours = deployment + routes if models == "registry" else ""
        async with Rails(Clock(), model) as rails:
            section = f'[gitlab]\nmodels = "{models}"\nallowed_endpoints = ["{upstream.url}"]\n'
            configured = configuration(folder, section + rails.toml() + ours)
            async with serving(configured) as served:
                rails.gateway = served.url
                yield Asking(rails, upstream)


both = pytest.mark.parametrize("models", ["registry", "request"])


@both
async def test_a_healthy_setup_passes_the_checks_of_its_admin(tmp_path: Path, models: str) -> None:
    async with gitlab(tmp_path, models=models) as asking:
        assert (await asking.rails.health_check()).passed
        assert (await asking.rails.model_check()).passed


@both
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("endpoint", "gpu:8000", "model_metadata.endpoint"), ("name", "", "model_metadata.name")],
)
async def test_a_wrong_page_is_explained_in_the_words_that_gitlab_shows(
    tmp_path: Path, models: str, field: str, value: str, says: str
) -> None:
    async with gitlab(tmp_path, models=models) as asking:
        asking.rails.model = {**MODEL, "endpoint": asking.upstream.endpoint, field: value}
        told = await asking.rails.model_check()
        assert not told.passed
        assert says in told.message
        health = await asking.rails.health_check()
        assert not health.passed
        assert says.replace("metadata.", "") in health.message


async def test_a_page_beyond_what_is_allowed_is_explained(tmp_path: Path) -> None:
    async with gitlab(tmp_path, models="request") as asking:
        asking.rails.model = {**MODEL, "endpoint": "http://127.0.0.1:9/v1"}
        told = await asking.rails.model_check()
        assert "allowed_endpoints" in told.message


@both
async def test_a_broken_model_is_explained(tmp_path: Path, models: str) -> None:
    async with gitlab(tmp_path, models=models) as asking:
        asking.will_refuse(401)
        told = await asking.rails.model_check()
        assert told.message.startswith("the model server returned code 401: Unauthorized - ")
        asking.will_refuse(401)
        health = await asking.rails.health_check()
        assert health.message.startswith("Inference failed: ")


async def test_a_model_that_is_silent_fails_the_health_check_in_time(tmp_path: Path) -> None:
    async with gitlab(tmp_path) as asking:
        asking.will_hang()
        check = asyncio.create_task(asking.rails.health_check())
        await asking.upstream.until(lambda: bool(asking.upstream.asked()))
        asking.rails.clock.advance(HEALTH_PATIENCE)
        assert "did not answer in 3.0 s" in (await check).message
        await asking.upstream.until(lambda: asking.upstream.aborted == 1)


async def test_a_conversation_of_several_steps(tmp_path: Path) -> None:
    async with gitlab(tmp_path) as asking:
        asking.will_say(ACTION, ACTION.replace("#7", "#8"), ANSWER)
        read: list[str] = []

        def issue(about: str) -> str:
            read.append(about)
            return f"Issue {about} is about bees."

        ended = await converse(asking.rails, "What is it about?", {"issue_reader": issue})
        assert (ended.answer, ended.code) == ("It is about bees.", "")
        assert (read, ended.requests) == (["#7", "#8"], 3)
        assert ended.observed == ["Issue #7 is about bees.", "Issue #8 is about bees."]
        last = str(asking.upstream.asked()[-1]["messages"])
        assert all(each in last for each in ended.observed)


async def test_a_step_that_may_succeed_is_asked_again(tmp_path: Path) -> None:
    async with gitlab(tmp_path) as asking:
        # The gateway itself tries twice.
        asking.will_refuse(503, times=2)
        asking.will_say(ANSWER)
        ended = await converse(asking.rails, "What is it about?", {})
        assert (ended.answer, ended.code) == ("It is about bees.", "")
        assert ended.requests == 2


async def test_a_step_without_an_end_is_not_an_answer(tmp_path: Path) -> None:
    async with gitlab(tmp_path) as asking:
        upstream = asking.upstream
        pieces = ["Thought: I know.\nFinal Answer: It is ", "about ", "bees ", "and "]
        upstream.faults.extend([upstream.saying([pieces], None)] * 10)
        ended = await converse(asking.rails, "What is it about?", {})
        assert ended.code in {"A1003", "A1004"}


async def test_a_silent_model_ends_a_conversation_in_gitlabs_time(tmp_path: Path) -> None:
    async with gitlab(tmp_path) as asking:
        asking.will_hang()
        conversation = asyncio.create_task(converse(asking.rails, "What is it about?", {}))
        await asking.upstream.until(lambda: bool(asking.upstream.asked()))
        asking.rails.clock.advance(PATIENCE)
        assert (await conversation).code == "A1000"
        await asking.upstream.until(lambda: asking.upstream.aborted == 1)


async def test_a_tool_of_the_chat_is_read_as_text(tmp_path: Path) -> None:
    async with gitlab(tmp_path) as asking:
        asking.will_say("It adds two numbers. Ä")
        inputs = {
            "input": "/explain",
            "selected_text": "a + b",
            "language_info": "python",
            "file_content": "a + b",
        }
        assert await asking.rails.tool("chat/explain_code", inputs) == "It adds two numbers. Ä"
