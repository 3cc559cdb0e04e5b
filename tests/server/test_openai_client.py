"""OpenAI's own Python client against a running gateway: chat, completions, models, errors."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from inhouse.core.prompt import Messages, Text
from inhouse.core.trace import Outcome
from tests.server.serving import (
    AUDITOR,
    CHAT_ONLY,
    DEVELOPER,
    Served,
    configuration,
    route,
    scripted,
    serving,
)

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
TOOL: ChatCompletionToolParam = {"type": "function", "function": {"name": "look"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}

DEPLOYMENTS = "".join(
    [
        scripted("talker", tokens=["Hello", " there", "."]),
        scripted("filler", family="codestral", tokens=["a", " + ", "b"]),
        scripted("coder", tokens=["Sure:\n", "```python\n", "x = 1\n", "```\n", "Done."]),
        scripted("caller", tool_calls=[CALL]),
        scripted("busy", error="rate_limited", retry_after=7),
        scripted("slow", error="timeout"),
        scripted("down", error="unreachable"),
        scripted("full", error="context_length"),
        scripted("picky", error="bad_request"),
        scripted("halfway", error="closed", error_after=2),
        scripted("silent", tokens=[]),
        scripted("Größe 7"),
        route("chat", "talker"),
        route("completion", "filler"),
        route("generation", "coder"),
    ]
)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    async with serving(configuration(tmp_path, DEPLOYMENTS)) as running:
        yield running


@pytest.fixture
async def client(served: Served) -> AsyncGenerator[AsyncOpenAI]:
    async with served.client() as ready:
        yield ready


async def test_chat(served: Served, client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="chat", messages=HI)
    (choice,) = answer.choices
    assert choice.message.content == "Hello there."
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert answer.model == "talker"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 3
    (trace,) = await served.traces()
    assert answer.id == f"chatcmpl-{trace.id}"
    assert (trace.caller, trace.model, trace.feature) == ("ada", "chat", "chat")
    assert (trace.deployments, trace.outcome) == (("talker",), Outcome.OK)


async def test_chat_streamed(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="talker", messages=HI, stream=True)
    chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [delta.role for delta in deltas] == ["assistant", None, None, None, None]
    assert [delta.content for delta in deltas] == ["", "Hello", " there", ".", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert not any(chunk.usage for chunk in chunks)


async def test_usage_ends_a_stream_where_asked(served: Served, client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="chat", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    *_, last = [chunk async for chunk in stream]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 3
    (trace,) = await served.traces()
    assert (trace.stream, trace.completion_tokens, trace.deltas) == (True, 3, 5)


@pytest.mark.parametrize("stream", [False, True])
async def test_several_choices(client: AsyncOpenAI, stream: bool) -> None:
    texts: dict[int, str] = {}
    if stream:
        async for chunk in await client.chat.completions.create(
            model="chat", messages=HI, n=2, stream=True
        ):
            for choice in chunk.choices:
                texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    else:
        answer = await client.chat.completions.create(model="chat", messages=HI, n=2)
        texts = {each.index: each.message.content or "" for each in answer.choices}
    assert texts == {0: "Hello there.", 1: "Hello there."}


async def test_tool_calls_pass_through(served: Served, client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="caller", messages=HI, tools=[TOOL])
    (call,) = answer.choices[0].message.tool_calls or []
    assert (call.type, call.id) == ("function", "c1")
    assert served.scripted.calls[-1].params.extra == {"tools": [TOOL]}


async def test_params_reach_the_upstream(served: Served, client: AsyncOpenAI) -> None:
    await client.chat.completions.create(
        model="chat",
        messages=HI,
        temperature=0.5,
        max_completion_tokens=2,
        stop=["END"],
        seed=7,
        extra_body={"top_k": 3},
        extra_headers={"X-Request-ID": "mine"},
    )
    params = served.scripted.calls[-1].params
    assert (params.temperature, params.max_tokens, params.seed) == (0.5, 2, 7)
    assert "END" in params.stop
    assert params.extra == {"top_k": 3}
    assert params.request_id == "mine"


async def test_chat_sub_features_answer_too(served: Served, client: AsyncOpenAI) -> None:
    await client.chat.completions.create(model="chat.explain", messages=HI)
    assert isinstance(served.scripted.calls[-1].prompt, Messages)
    (trace,) = await served.traces()
    assert trace.feature == "chat.explain"


async def test_completion(served: Served, client: AsyncOpenAI) -> None:
    answer = await client.completions.create(
        model="completion", prompt="def add(a, b):\n    return ", suffix="\n"
    )
    assert answer.choices[0].text == "a + b"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "filler"
    assert served.scripted.calls[-1].prompt == Text("[SUFFIX]\n[PREFIX]def add(a, b):\n    return ")


async def test_completion_streamed(client: AsyncOpenAI) -> None:
    stream = await client.completions.create(
        model="filler",
        prompt="def add(a, b):\n    return ",
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "a + b"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None


async def test_a_prompt_with_its_own_fim_tokens_is_understood(
    served: Served, client: AsyncOpenAI
) -> None:
    raw = "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\n<|fim_middle|>"
    answer = await client.completions.create(model="completion", prompt=raw)
    assert answer.choices[0].text == "a + b"
    assert served.scripted.calls[-1].prompt == Text("[SUFFIX]\n[PREFIX]def add(a, b):\n    return ")


@pytest.mark.parametrize("stream", [False, True])
async def test_generation_by_chat_is_code_only(client: AsyncOpenAI, stream: bool) -> None:
    if stream:
        text = ""
        async for chunk in await client.chat.completions.create(
            model="generation", messages=HI, stream=True
        ):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
    else:
        answer = await client.chat.completions.create(model="generation", messages=HI)
        text = answer.choices[0].message.content or ""
    assert text.strip() == "x = 1"


async def test_generation_by_completions(served: Served, client: AsyncOpenAI) -> None:
    answer = await client.completions.create(
        model="generation", prompt="y = 2\n", extra_body={"instruction": "Set x to 1."}
    )
    assert answer.choices[0].text.strip() == "x = 1"
    assert "Set x to 1." in str(served.scripted.calls[-1].prompt)
    (trace,) = await served.traces()
    assert trace.feature == "generation"


async def test_a_generation_behind_a_comment_begins_below_it(client: AsyncOpenAI) -> None:
    asked = {"path": "a.py", "instruction": "Set x to 1."}
    alone, behind = [
        await client.completions.create(model="generation", prompt=prompt, extra_body=asked)
        for prompt in ("y = 2\n", "y = 2\n# Set x.")
    ]
    assert behind.choices[0].text == "\n" + alone.choices[0].text


async def test_an_upstream_that_says_nothing_is_an_empty_answer(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model="silent", prompt="x")
    assert answer.choices[0].text == ""
    stream = await client.completions.create(model="silent", prompt="x", stream=True)
    chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_models_are_listed(client: AsyncOpenAI) -> None:
    names = [model.id async for model in client.models.list()]
    assert names[:4] == ["completion", "generation", "chat", "chat.explain"]
    assert {"talker", "filler"} < set(names)
    assert (await client.models.retrieve("talker")).id == "talker"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nothing")


async def test_a_key_sees_and_uses_its_own_models_only(served: Served) -> None:
    async with served.client(CHAT_ONLY) as client:
        assert [model.id async for model in client.models.list()] == ["chat"]
        await client.chat.completions.create(model="chat", messages=HI)
        with pytest.raises(openai.PermissionDeniedError, match="talker"):
            await client.chat.completions.create(model="talker", messages=HI)


async def test_an_auditor_may_list_and_not_ask(served: Served) -> None:
    async with served.client(AUDITOR) as client:
        assert [model.id async for model in client.models.list()]
        with pytest.raises(openai.PermissionDeniedError):
            await client.chat.completions.create(model="chat", messages=HI)


@pytest.mark.parametrize("header", ["api-key", "x-api-key"])
async def test_other_clients_put_the_key_elsewhere(served: Served, header: str) -> None:
    reply = await served.ask("GET", "/v1/models", key=None, headers={header: DEVELOPER})
    assert reply.status == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "error", "status", "code"),
    [
        ("busy", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("slow", openai.InternalServerError, 504, "timeout"),
        ("down", openai.InternalServerError, 502, "unreachable"),
        ("full", openai.BadRequestError, 400, "context_length_exceeded"),
        ("picky", openai.BadRequestError, 400, "bad_request"),
    ],
)
async def test_a_failing_upstream_has_its_status(
    served: Served,
    client: AsyncOpenAI,
    model: str,
    error: type[openai.APIStatusError],
    status: int,
    code: str,
    stream: bool,
) -> None:
    with pytest.raises(error) as caught:
        await client.chat.completions.create(model=model, messages=HI, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    (trace,) = await served.traces()
    assert caught.value.response.headers["x-inhouse-trace-id"] == trace.id
    assert (trace.outcome, trace.status) == (Outcome.FAILED, status)
    assert caught.value.response.headers.get("retry-after") == ("7" if model == "busy" else None)


async def test_a_failure_in_mid_stream_ends_it_with_an_error(
    served: Served, client: AsyncOpenAI
) -> None:
    stream = await client.chat.completions.create(model="halfway", messages=HI, stream=True)
    text = ""
    with pytest.raises(openai.APIError) as caught:  # noqa: PT012, the text before it counts
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text == "This is"
    assert caught.value.code == "closed"
    (trace,) = await served.traces()
    assert (trace.outcome, trace.error, trace.deltas) == (Outcome.FAILED, "closed", 2)


async def test_a_stream_that_failed_has_no_done(served: Served) -> None:
    body: dict[str, Any] = {"model": "halfway", "messages": HI, "stream": True}
    reply = await served.ask("POST", "/v1/chat/completions", content=body)
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["x-inhouse-deployment"] == "halfway"
    *_, last, end = reply.body.split(b"\n\n")
    assert end == b""
    assert last.startswith(b'data: {"error":')
    assert b"[DONE]" not in reply.body


async def test_a_deployment_with_an_odd_name_can_be_asked(served: Served) -> None:
    body: dict[str, Any] = {"model": "Größe 7", "messages": HI}
    reply = await served.ask("POST", "/v1/chat/completions", content=body)
    assert reply.json["model"] == "Größe 7"
    assert reply.headers["x-inhouse-deployment"] == "Gr%C3%B6%C3%9Fe 7"
    shown = await served.ask("GET", "/v1/models/Gr%C3%B6%C3%9Fe%207")
    assert shown.json["id"] == "Größe 7"


async def test_a_whole_stream_ends_with_done(served: Served) -> None:
    body: dict[str, Any] = {"model": "chat", "messages": HI, "stream": True}
    reply = await served.ask("POST", "/v1/chat/completions", content=body)
    assert reply.body.endswith(b"\n\ndata: [DONE]\n\n")
