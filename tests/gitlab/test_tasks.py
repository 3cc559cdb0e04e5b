"""Every task at every door, in windows that are small, and what a broken set-up is told."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from inhouse.prompts import tasks
from tests.fakes.gitlab import SCOPES
from tests.fakes.http import Exchange
from tests.fakes.openai import LLAMA, VLLM, FakeOpenAI, prompt_tokens_of
from tests.server.serving import Reply, Served, configuration, route, scripted, serving

SCRIPTED = (
    scripted("talker", tokens=["def", " answer"])
    + scripted("filler", family="codestral", tokens=["1", "23"])
    + route("chat", "talker")
    + route("generation", "talker")
    + route("completion", "filler")
)
WINDOW = 2048
CHECK = "/v1/prompts/model_configuration/check"


def talker(endpoint: str, *, family: str = "general", key: str = "", model: str = "") -> str:
    """Return TOML of a deployment at `endpoint`, without routes."""
    return (
        f'[[deployments]]\nname = "talker"\nfamily = "{family}"\nendpoint = "{endpoint}"\n'
        f'identifier = "custom_openai/{model or "tiny-coder"}"\napi_key = "{key}"\n'
    )


async def ask(served: Served, path: str, inputs: object, **more: object) -> Reply:
    return await served.ask("POST", path, content={"inputs": inputs, **more})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_every_task_answers(version: str, stream: bool, tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, SCRIPTED)) as served:
        for name, task in tasks().items():
            inputs = dict.fromkeys(task.inputs, "some text")
            reply = await ask(served, f"/{version}/prompts/{name}", inputs, stream=stream)
            said = "123" if name == "code_suggestions/completions" else "def answer"
            assert (reply.status, _text(reply, version, stream=stream)) == (200, said), name
            kind = "text/event-stream; charset=utf-8" if stream else "application/json"
            assert reply.headers["content-type"] == kind
        features = {trace.feature for trace in await served.traces()}
        assert features == {task.feature.value for task in tasks().values()}


def _text(reply: Reply, version: str, *, stream: bool) -> str:
    if version == "v1":
        return reply.body.decode() if stream else reply.json
    if not stream:
        assert set(reply.json) == {"content", "usage"}
        return reply.json["content"]
    *pieces, last = [json.loads(line) for line in reply.body.splitlines()]
    assert all(set(each) == {"content"} for each in pieces)
    (usage,) = last["usage"].values()
    assert usage["output_tokens"] == 2
    return "".join(each["content"] for each in pieces)


async def test_every_task_works_with_its_required_inputs_alone(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, SCRIPTED)) as served:
        for name, task in tasks().items():
            inputs = {each: "x" for each, known in task.inputs.items() if known.required}
            assert (await ask(served, f"/v1/prompts/{name}", inputs)).status == 200, name
            for each in inputs:
                less = {other: "x" for other in inputs if other != each}
                refused = await ask(served, f"/v1/prompts/{name}", less)
                assert refused.status == 422
                assert f"missing variables {{'{each}'}}" in refused.json["detail"][0]["msg"]


def test_every_task_may_be_licensed() -> None:
    for name, task in tasks().items():
        assert set(task.scopes) & set(SCOPES), name


async def test_the_server_adds_the_date(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, SCRIPTED)) as served:
        inputs: dict[str, object] = {"question": "When?", "documents": []}
        assert (await ask(served, "/v1/prompts/chat/documentation_search", inputs)).status == 200
        (call,) = served.scripted.calls
        assert re.search(r"Today is [A-Z][a-z]+ \d\d, \d{4}\.", str(call.prompt))


@pytest.mark.parametrize("text", ["a b c ", "line of code\n", "x"], ids=["dense", "lines", "word"])
async def test_huge_inputs_fit_a_small_window(text: str, tmp_path: Path) -> None:
    async with FakeOpenAI(LLAMA, window=WINDOW) as upstream:
        routes = route("chat", "talker") + route("generation", "talker")
        declared = (
            talker(upstream.endpoint, family="llama3") + routes + route("completion", "talker")
        )
        async with serving(configuration(tmp_path, declared)) as served:
            for name, task in tasks().items():
                inputs = dict.fromkeys(task.inputs, text * 8000)
                reply = await ask(served, f"/v1/prompts/{name}", inputs)
                assert reply.status == 200, (name, reply.body)
            asked = upstream.asked()
            # None was refused and asked again.
            assert len(asked) == len(tasks())
            for body in asked:
                assert prompt_tokens_of(body) + body["max_tokens"] <= WINDOW


async def test_a_huge_conversation_fits_a_small_window(tmp_path: Path) -> None:
    async with FakeOpenAI(LLAMA, window=WINDOW) as upstream:
        declared = talker(upstream.endpoint, family="llama3") + route("chat", "talker")
        async with serving(configuration(tmp_path, declared)) as served:
            payload = {"content": "a b c " * 60_000, "params": {"max_tokens_to_sample": 8192}}
            content = {"prompt_components": [{"type": "prompt", "payload": payload}]}
            reply = await served.ask("POST", "/v1/chat/explain_code", content=content)
            assert reply.status == 200, reply.body
            (body,) = upstream.asked()
            assert 1000 < prompt_tokens_of(body) + body["max_tokens"] <= WINDOW


async def test_special_tokens_in_inputs_are_disarmed_and_come_back(tmp_path: Path) -> None:
    declared = scripted("talker", family="llama3", echo=True) + route("chat", "talker")
    async with serving(configuration(tmp_path, declared)) as served:
        inputs = {"prompt": "What is <|eot_id|> and {{prompt}}?"}
        reply = await ask(served, "/v1/prompts/glab_ask_git_command", inputs)
        (call,) = served.scripted.calls
        assert "<|eot_id|>" not in str(call.prompt)
        assert reply.json.endswith("What is <|eot_id|> and {{prompt}}?")


async def check(served: Served, **headers: str) -> Reply:
    return await served.ask("POST", CHECK, content={"inputs": {}}, headers=headers)


async def test_the_model_check_passes_a_healthy_model(tmp_path: Path) -> None:
    async with FakeOpenAI(VLLM, api_key="sk-right") as upstream:
        declared = talker(upstream.endpoint, key="sk-right") + route("chat", "talker")
        async with serving(configuration(tmp_path, declared)) as served:
            reply = await check(served)
            assert (reply.status, type(reply.json)) == (200, str)
            assert reply.json
            (body,) = upstream.asked()
            assert body["max_tokens"] == 16


async def test_the_model_check_passes_a_model_that_only_completes(tmp_path: Path) -> None:
    async with FakeOpenAI(VLLM) as upstream:
        upstream.routes = {"/completions"}
        declared = talker(upstream.endpoint, family="codellama") + route("completion", "talker")
        async with serving(configuration(tmp_path, declared)) as served:
            assert (await check(served)).status == 200
            (body,) = upstream.asked()
            assert "def add(a, b)" in body["prompt"]
            assert body["max_tokens"] == 16


@pytest.mark.parametrize(
    "script",
    [
        scripted("talker", tokens=["<think>", "Hm, "]),
        scripted("talker", tokens=[], reasoning=["The user asks"], finish_reason="length"),
    ],
    ids=["in the text", "beside it"],
)
async def test_the_model_check_passes_a_model_that_has_only_begun_to_think(
    script: str, tmp_path: Path
) -> None:
    async with serving(configuration(tmp_path, script + route("chat", "talker"))) as served:
        reply = await check(served)
        assert reply.status == 200, reply.body
        assert reply.json


async def test_the_model_check_fails_a_model_that_says_nothing(tmp_path: Path) -> None:
    declared = scripted("talker", tokens=[]) + route("chat", "talker")
    async with serving(configuration(tmp_path, declared)) as served:
        reply = await check(served)
        assert reply.status == 421
        detail = reply.json["detail"]
        assert detail.startswith("500: Internal Server Error - ")
        assert "answered with nothing" in detail
        assert "'talker'" in detail


def wrong_key(upstream: FakeOpenAI) -> str:
    return talker(upstream.endpoint, key="sk-wrong") + route("chat", "talker")


def unknown_model(upstream: FakeOpenAI) -> str:
    return talker(upstream.endpoint, key="sk-right", model="gone") + route("chat", "talker")


def wrong_path(upstream: FakeOpenAI) -> str:
    return talker(upstream.url + "/openai", key="sk-right") + route("chat", "talker")


def unreachable(upstream: FakeOpenAI) -> str:
    del upstream
    return talker("http://127.0.0.1:9/v1") + route("chat", "talker")


def slow(upstream: FakeOpenAI) -> str:
    upstream.faults.extend([Exchange.hang] * 4)
    return talker(upstream.endpoint, key="sk-right") + route("chat", "talker")


def no_route(upstream: FakeOpenAI) -> str:
    return talker(upstream.endpoint, key="sk-right")


@pytest.mark.parametrize(
    ("broken", "begin", "word"),
    [
        (wrong_key, "401: Unauthorized - ", "key"),
        (unknown_model, "404: Not Found - ", "gone"),
        (wrong_path, "404: Not Found - ", "endpoint"),
        (unreachable, "500: Internal Server Error - ", "127.0.0.1"),
        (slow, "408: Request Timeout - ", "0.3 s"),
        (no_route, "404: Not Found - ", "route"),
    ],
)
async def test_the_model_check_explains_a_broken_set_up(
    broken: Callable[[FakeOpenAI], str], begin: str, word: str, tmp_path: Path
) -> None:
    async with (
        FakeOpenAI(VLLM, api_key="sk-right") as upstream,
        serving(configuration(tmp_path, broken(upstream))) as served,
    ):
        reply = await check(served, **{"X-Inhouse-Total-Timeout": "0.3"})
        assert reply.status == 421
        assert set(reply.json) == {"detail"}
        detail = reply.json["detail"]
        assert detail.startswith(begin), detail
        assert word in detail.removeprefix(begin), detail
        assert "sk-" not in detail
