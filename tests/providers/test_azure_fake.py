"""The fake of Azure, as OpenAI's own client for Azure finds it."""

from collections.abc import AsyncGenerator

import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.fakes.azure import CODER, FORBIDDEN, REASONER, UNSAFE, FakeAzure, Model, throttled
from tests.fakes.entra import FakeEntra

KEY = "key-1"
VERSION = "2024-10-21"


def says(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


@pytest.fixture
async def server() -> AsyncGenerator[FakeAzure]:
    deployments = {"coder": CODER, "thinker": REASONER, "talker": Model()}
    async with FakeAzure(deployments, api_key=KEY) as running:
        yield running


@pytest.fixture
async def client(server: FakeAzure) -> AsyncGenerator[AsyncAzureOpenAI]:
    async with AsyncAzureOpenAI(
        azure_endpoint=server.url, api_key=KEY, api_version=VERSION, max_retries=0
    ) as ready:
        yield ready


async def test_streams_a_chat(client: AsyncAzureOpenAI, server: FakeAzure) -> None:
    stream = await client.chat.completions.create(
        model="coder",
        messages=says("hi"),
        max_tokens=7,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices == []
    assert chunks[0].model_extra is not None
    assert "prompt_filter_results" in chunks[0].model_extra
    said = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(said) == " w0 w1 w2 w3 w4 w5 w6"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 7
    target = f"/openai/deployments/coder/chat/completions?api-version={VERSION}"
    assert server.requests[0].target == target


async def test_annotates_behind_the_end(server: FakeAzure, client: AsyncAzureOpenAI) -> None:
    server.asynchronous = True
    stream = await client.chat.completions.create(
        model="coder", messages=says("hi"), max_tokens=2, stream=True
    )
    *_, end, late = [chunk async for chunk in stream]
    assert end.choices[0].finish_reason == "length"
    assert late.choices[0].finish_reason is None
    extra = late.choices[0].model_extra
    assert extra is not None
    assert "content_filter_offsets" in extra


async def test_answers_whole(client: AsyncAzureOpenAI) -> None:
    chat = await client.chat.completions.create(model="coder", messages=says("hi"), max_tokens=2)
    assert chat.choices[0].message.content == " w0 w1"
    text = await client.completions.create(model="coder", prompt="def", max_tokens=2)
    assert text.choices[0].text == " w0 w1"


async def test_lists_what_could_be_deployed(client: AsyncAzureOpenAI) -> None:
    assert "coder" not in [model.id async for model in client.models.list()]


async def test_answers_the_plain_client_at_its_v1_routes(server: FakeAzure) -> None:
    async with AsyncOpenAI(base_url=f"{server.url}/openai/v1/", api_key=KEY) as client:
        found = await client.chat.completions.create(
            model="coder", messages=says("hi"), max_tokens=1
        )
    assert found.choices[0].message.content == " w0"
    assert server.requests[0].target == "/openai/v1/chat/completions"


async def test_takes_tokens(server: FakeAzure) -> None:
    async with FakeEntra() as entra:
        entra.good.add("token-0")
        server.entra = entra
        for token, good in (("token-0", True), ("token-9", False)):
            async with AsyncAzureOpenAI(
                azure_endpoint=server.url,
                azure_ad_token=token,
                api_version=VERSION,
                max_retries=0,
            ) as client:
                asked = client.chat.completions.create(model="coder", messages=says("hi"))
                if good:
                    assert (await asked).choices
                else:
                    with pytest.raises(openai.AuthenticationError):
                        await asked


async def test_filters(client: AsyncAzureOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="coder", messages=says(FORBIDDEN))
    assert (caught.value.code, caught.value.param) == ("content_filter", "prompt")
    found = await client.chat.completions.create(model="coder", messages=says(UNSAFE))
    assert found.choices[0].finish_reason == "content_filter"


async def test_refuses(client: AsyncAzureOpenAI, server: FakeAzure) -> None:
    with pytest.raises(openai.BadRequestError, match="'temperature' does not support"):
        await client.chat.completions.create(model="thinker", messages=says("hi"), temperature=0.2)
    with pytest.raises(openai.BadRequestError, match="Use 'max_completion_tokens'"):
        await client.chat.completions.create(model="thinker", messages=says("hi"), max_tokens=2)
    with pytest.raises(openai.BadRequestError, match="operation does not work"):
        await client.completions.create(model="talker", prompt="def")
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="code", messages=says("hi"))
    assert caught.value.code == "DeploymentNotFound"
    server.faults.append(throttled)
    with pytest.raises(openai.RateLimitError) as limited:
        await client.chat.completions.create(model="coder", messages=says("hi"))
    assert limited.value.response.headers["retry-after-ms"] == "1750"


@pytest.mark.parametrize(
    ("version", "key", "error"),
    [("2020-01-01", KEY, openai.NotFoundError), (VERSION, "other", openai.AuthenticationError)],
)
async def test_refuses_versions_and_keys(
    server: FakeAzure, version: str, key: str, error: type[Exception]
) -> None:
    async with AsyncAzureOpenAI(
        azure_endpoint=server.url, api_key=key, api_version=version, max_retries=0
    ) as client:
        with pytest.raises(error):
            await client.chat.completions.create(model="coder", messages=says("hi"))
