from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from inhouse import __version__
from inhouse.client import Client
from inhouse.config import load_client
from inhouse.core.delta import Delta
from inhouse.core.feature import Feature
from inhouse.core.requests import (
    ChatRequest,
    CompletionRequest,
    GenerationRequest,
    Message,
    Params,
)
from inhouse.core.secret import Secret
from inhouse.errors import GatewayError
from inhouse.features.joined import joined
from tests.fakes.authority import Authority
from tests.fakes.http import Exchange, Handler, Server
from tests.fakes.openai import STREAM_HEAD, FakeOpenAI, sse
from tests.server.serving import DEVELOPER, configuration, serving

KEY = Secret(DEVELOPER)
SCRIPT = """
[[deployments]]
name = "toy"
family = "general"
identifier = "scripted/toy"
options = { echo = true }
[[routes]]
feature = "chat"
deployments = ["toy"]
"""
REQUEST = CompletionRequest(prefix="a", params=Params(max_tokens=3))


async def test_a_real_gateway(tmp_path: Path) -> None:

    async with (
        serving(configuration(tmp_path, SCRIPT)) as served,
        Client(f"{served.url}/v1/", KEY) as client,
    ):
        assert await client.version() == __version__
        served_by_toy = [each.value for each in Feature if each.top is Feature.CHAT]
        assert await client.models() == [*served_by_toy, "toy"]
        messages = (Message(role="user", content="say this"),)
        answer = await joined(client.chat(ChatRequest(messages=messages)))
        assert answer.choices[0].text == "say this"
        assert answer.usage is not None


async def test_what_is_sent() -> None:
    completion = CompletionRequest(
        prefix="a", suffix="b", path="src/a.py", language="python", params=Params(n=2, seed=1)
    )
    generation = GenerationRequest(instruction="do it", prefix="a", suffix="b")
    async with FakeOpenAI(model="completion") as fake, Client(fake.url, KEY) as client:
        await joined(client.complete(completion))
        await joined(client.generate(generation, "completion"))
        first, second = fake.asked()
        assert fake.requests[0].headers["authorization"] == f"Bearer {DEVELOPER}"
    assert {name: first[name] for name in ("prompt", "suffix", "path", "language", "n")} == {
        "prompt": "a",
        "suffix": "b",
        "path": "src/a.py",
        "language": "python",
        "n": 2,
    }
    assert second["instruction"] == "do it"
    assert "path" not in second


async def test_leaving_hangs_up() -> None:
    async with FakeOpenAI(model="completion") as fake, Client(fake.url, KEY) as client:
        request = CompletionRequest(prefix="a", params=Params(max_tokens=1_000_000))
        async with contextlib.aclosing(client.complete(request)) as deltas:
            await anext(deltas)
        assert await fake.settled() < 1_000_000


@contextlib.asynccontextmanager
async def asked(handler: Handler) -> AsyncGenerator[AsyncGenerator[Delta]]:
    async with Server(handler) as fake, Client(fake.url, KEY) as client:
        yield client.complete(REQUEST)


def event(text: str) -> bytes:
    return sse(b'{"choices":[{"index":0,"text":"%b"}]}' % text.encode())


async def half(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD, event("x"))
    exchange.close()


async def unfinished(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD, event("x"), b"0\r\n\r\n")


async def failing(exchange: Exchange) -> None:
    error = b'{"error":{"message":"The upstream fell silent.","trace_id":"abc"}}'
    await exchange.send(STREAM_HEAD, event("x"), sse(error), b"0\r\n\r\n")


async def babbling(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD, sse(b"nonsense"), b"0\r\n\r\n")


async def refusing(exchange: Exchange) -> None:
    await exchange.answer(502, b'{"error":{"message":"It is down.","trace_id":"abc"}}')


async def foreign(exchange: Exchange) -> None:
    await exchange.answer(404, b"<html>Not here</html>", "text/html")


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (half, "The gateway's answer broke off"),
        (unfinished, "closed the stream before its answer was complete"),
        (failing, "The upstream fell silent. (trace abc)"),
        (babbling, "is no inhouse gateway"),
        (refusing, "It is down. (trace abc)"),
        (foreign, "is no inhouse gateway (status 404)"),
    ],
)
async def test_what_goes_wrong_is_told(handler: Handler, said: str) -> None:
    async with asked(handler) as deltas:
        with pytest.raises(GatewayError) as raised:
            await joined(deltas)
    assert said in str(raised.value)


async def test_a_gateway_needs_a_key() -> None:
    async with Client("http://127.0.0.1:1", Secret()) as client:
        with pytest.raises(GatewayError, match="INHOUSE_API_KEY"):
            await joined(client.complete(REQUEST))


async def test_keys_and_addresses_that_http_forbids() -> None:
    with pytest.raises(GatewayError, match="character that HTTP forbids") as raised:
        Client("http://127.0.0.1:1", Secret("sk-two\nlines"))
    assert "sk-two" not in str(raised.value)
    with pytest.raises(GatewayError, match="Set INHOUSE_URL"):
        Client("127.0.0.1:5052", KEY)


async def test_what_listens_may_be_another_server() -> None:
    async def page(exchange: Exchange) -> None:
        await exchange.answer(200, b"welcome", "text/plain")

    async with Server(page) as fake, Client(fake.url, KEY) as client:
        for ask in (client.version, client.models):
            with pytest.raises(GatewayError, match="no inhouse gateway"):
                await ask()


async def test_authorities_of_the_environment_hold(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def health(exchange: Exchange) -> None:
        await exchange.answer(200, b'{"version":"1"}')

    async with Server(health, authority.server()) as server:
        environ = {"INHOUSE_URL": server.url, "SSL_CERT_FILE": authority.ca_file}
        known = load_client(None, environ)
        async with Client(known.url, KEY, authorities=known.authorities) as client:
            assert await client.version() == "1"
        async with Client(known.url, KEY) as client:
            with pytest.raises(GatewayError, match="not trusted"):
                await client.version()
