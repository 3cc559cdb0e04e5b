"""The fake of Anthropic's API, driven by Anthropic's own client: it is no friend of ours alone."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam

from tests.fakes.anthropic import MODEL, FakeAnthropic, refuse
from tests.fakes.http import Exchange

HELLO: list[MessageParam] = [{"role": "user", "content": "How does a list end?"}]
OLD = {"extra_headers": {"anthropic-version": "2023-06-01"}}
TOOL: ToolParam = {
    "name": "read",
    "description": "Read a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}


@asynccontextmanager
async def client(server: FakeAnthropic, key: str = "sk-hush") -> AsyncGenerator[AsyncAnthropic]:
    async with AsyncAnthropic(api_key=key, base_url=server.url, max_retries=0) as made:
        yield made


async def test_answers_whole_and_streamed() -> None:
    async with FakeAnthropic() as server, client(server) as asking:
        whole = await asking.messages.create(model=MODEL, max_tokens=3, messages=HELLO)
        async with asking.messages.stream(model=MODEL, max_tokens=3, messages=HELLO) as stream:
            streamed = await stream.get_final_message()
    assert whole.content[0].type == "text"
    assert whole.content[0].text == " w0 w1 w2"
    assert streamed.content[0].type == "text"
    assert streamed.content[0].text == whole.content[0].text
    assert (streamed.stop_reason, streamed.usage.output_tokens) == ("max_tokens", 3)
    assert streamed.usage.cache_read_input_tokens == 3


async def test_calls_tools_and_thinks() -> None:
    async with (
        FakeAnthropic() as server,
        client(server) as asking,
        asking.messages.stream(
            model=MODEL,
            max_tokens=2000,
            messages=HELLO,
            tools=[TOOL],
            tool_choice={"type": "tool", "name": "read"},
            thinking={"type": "enabled", "budget_tokens": 1024},
        ) as stream,
    ):
        said = await stream.get_final_message()
    assert [block.type for block in said.content] == ["thinking", "tool_use"]
    assert said.content[1].type == "tool_use"
    assert said.content[1].input == {"path": "a.py"}
    assert said.stop_reason == "tool_use"


async def test_lists_and_counts() -> None:
    async with FakeAnthropic() as server, client(server) as asking:
        found = [each async for each in asking.models.list()]
        count = await asking.messages.count_tokens(model=MODEL, messages=HELLO)
    assert [(each.id, each.max_input_tokens) for each in found] == [(MODEL, 2048)]
    assert count.input_tokens == 5


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"model": "claude-other"}, anthropic.NotFoundError),
        ({"max_tokens": 0}, anthropic.BadRequestError),
        ({"extra_body": {"temperature": 0.5}}, anthropic.BadRequestError),
        (OLD | {"extra_body": {"temperature": 1.5}}, anthropic.BadRequestError),
        ({"stop_sequences": ["\n"]}, anthropic.BadRequestError),
        ({"messages": []}, anthropic.BadRequestError),
        ({"messages": [{"role": "user", "content": " "}]}, anthropic.BadRequestError),
        ({"extra_body": {"seed": 1}}, anthropic.BadRequestError),
    ],
    ids=str,
)
async def test_refuses(change: dict[str, Any], error: type[anthropic.APIStatusError]) -> None:
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 3, "messages": HELLO} | change
    async with FakeAnthropic() as server, client(server) as asking:
        with pytest.raises(error) as caught:
            await asking.messages.create(**asked)
    assert caught.value.request_id == "req_fake"


async def test_knows_strangers() -> None:
    async with FakeAnthropic() as server, client(server, "sk-other") as asking:
        with pytest.raises(anthropic.AuthenticationError):
            await asking.messages.create(model=MODEL, max_tokens=3, messages=HELLO)


async def test_fails_as_it_is_told() -> None:
    async def overloaded(exchange: Exchange) -> None:
        await refuse(exchange, 529, "overloaded_error", "Overloaded")

    async with FakeAnthropic() as server, client(server) as asking:
        server.faults.append(overloaded)
        with pytest.raises(anthropic.APIStatusError) as caught:
            await asking.messages.create(model=MODEL, max_tokens=3, messages=HELLO)
    assert caught.value.status_code == 529
