"""Vectors from upstreams of the OpenAI dialect: where they are asked for, and what may go wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.ports import Embedding, ProviderContext
from inhouse.core.requests import Params
from inhouse.core.secret import Secret
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.openai_compatible import Azure, OpenAICompatible
from inhouse.providers.scripted import Scripted
from tests.fakes.azure import FakeAzure
from tests.fakes.http import Exchange, Handler
from tests.fakes.openai import FakeOpenAI

TEXTS = ("def secret_of_the_house(): pass", "b")


@pytest.fixture
async def openai(tmp_path: Path) -> AsyncGenerator[OpenAICompatible]:
    provider = OpenAICompatible(ProviderContext(cache=tmp_path, proxies={}))
    yield provider
    await provider.aclose()


def at(endpoint: str, identifier: str = "custom_openai/tiny-coder", key: str = "") -> Deployment:
    return Deployment(
        name="bge",
        family="embedding",
        identifier=identifier,
        endpoint=endpoint,
        api_key=Secret(key),
    )


def saying(body: Any, status: int = 200) -> Handler:
    async def say(exchange: Exchange) -> None:
        await exchange.answer(status, json.dumps(body).encode())

    return say


def vectors(*found: list[float]) -> Handler:
    return saying({"data": [{"index": at, "embedding": each} for at, each in enumerate(found)]})


def embedding(*handlers: Handler, **traits: Any) -> FakeOpenAI:
    upstream = FakeOpenAI(**traits)
    upstream.routes = {"/embeddings"}
    upstream.faults.extend(handlers)
    return upstream


async def test_one_request_asks_for_all_texts(openai: OpenAICompatible) -> None:
    async with embedding(vectors([1, 2], [3, 4])) as upstream:
        found = await openai.embed(at(upstream.endpoint), TEXTS, 2, Params(request_id="r1"))
    assert found.vectors == [[1.0, 2.0], [3.0, 4.0]]
    (request,) = upstream.requests
    assert request.json == {"model": "tiny-coder", "input": list(TEXTS), "dimensions": 2}
    assert request.headers["x-request-id"] == "r1"


@pytest.mark.parametrize("path", ["", "/v1/", "/v1/embeddings"])
async def test_the_route_is_found_from_what_people_paste(
    openai: OpenAICompatible, path: str
) -> None:
    async with embedding(vectors([1], [2])) as upstream:
        await openai.embed(at(upstream.url + path), TEXTS, None, Params())
    assert upstream.requests[-1].target == "/v1/embeddings"


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (saying({"error": {"message": "slow down"}}, 429), UpstreamFailure.RATE_LIMITED),
        (saying({"error": {"message": "boom"}}, 500), UpstreamFailure.SERVER),
        (saying({"error": {"message": "boom"}}), UpstreamFailure.SERVER),
        (saying({"error": {"message": "input is too long"}}, 400), UpstreamFailure.BAD_REQUEST),
        (vectors([1]), UpstreamFailure.PROTOCOL),
        (saying("hello"), UpstreamFailure.PROTOCOL),
    ],
)
async def test_failures_are_told_as_everywhere(
    openai: OpenAICompatible, handler: Handler, failure: UpstreamFailure
) -> None:
    async with embedding(handler) as upstream:
        with pytest.raises(UpstreamError) as failed:
            await openai.embed(at(upstream.endpoint), TEXTS, None, Params())
    assert (failed.value.failure, failed.value.deployment) == (failure, "bge")


async def test_no_text_and_no_key_is_quoted(openai: OpenAICompatible) -> None:
    said = f"cannot embed {TEXTS[0]} for sk-12345678"
    async with embedding(saying({"error": {"message": said}}, 400), api_key="sk-12345678") as found:
        with pytest.raises(UpstreamError) as failed:
            await openai.embed(at(found.endpoint, key="sk-12345678"), TEXTS, None, Params())
    assert "sk-12345678" not in str(failed.value)
    assert "secret_of_the_house" not in str(failed.value)


async def test_leaving_hangs_up(openai: OpenAICompatible) -> None:
    began, left = asyncio.Event(), asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        began.set()
        try:
            await exchange.hang()
        finally:
            left.set()

    async with embedding(hang) as upstream:
        asking = asyncio.create_task(openai.embed(at(upstream.endpoint), TEXTS, None, Params()))
        await began.wait()
        asking.cancel()
        async with asyncio.timeout(10):
            await left.wait()


@pytest.mark.parametrize(
    ("generations", "target"),
    [
        (("v1",), "/openai/v1/embeddings"),
        (("classic",), "/openai/deployments/tiny-coder/embeddings?api-version=2024-10-21"),
    ],
)
async def test_both_generations_of_azure_embed(
    tmp_path: Path, generations: tuple[str, ...], target: str
) -> None:
    provider = Azure(ProviderContext(cache=tmp_path, proxies={}))
    async with FakeAzure(generations=generations, api_key="hush") as server:
        server.faults.append(vectors([1], [2]))
        deployment = at(server.url, "azure/tiny-coder", server.api_key)
        found = await provider.embed(deployment, TEXTS, None, Params())
        await provider.aclose()
    assert found.vectors == [[1.0], [2.0]]
    assert server.requests[-1].target == target


async def test_a_script_gives_the_same_text_the_same_vector() -> None:
    provider = Scripted()
    assert isinstance(provider, Embedding)
    deployment = at("", "scripted/x")
    one = await provider.embed(deployment, ("a", "b", "a"), None, Params())
    other = await Scripted().embed(deployment, ("b",), None, Params())
    assert one.vectors[0] == one.vectors[2] != one.vectors[1]
    assert other.vectors == one.vectors[1:2]
