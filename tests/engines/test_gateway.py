"""The whole way: OpenAI's own client and curl, the gateway, a real engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import anyio
import msgspec
import openai
import pytest

from inhouse.core.trace import Outcome, Trace
from tests.engines.conftest import Fleet
from tests.engines.engine import CONTEXT_TOKENS, DIALECTS, POLL_SECONDS, SLOW, SMALL, Engine
from tests.server.serving import DEVELOPER, Served, configuration, route, serving

HANG_UP_AFTER = {"before the first token": 0, "in mid-stream": 1, "not streaming": 0}


def deployment(name: str, family: str, engine: Engine) -> str:
    return (
        f'[[deployments]]\nname = "{name}"\nfamily = "{family}"\n'
        f'endpoint = "{engine.base_url}/v1"\nidentifier = "custom_openai/{engine.model}"\n'
    )


def declared(engine: Engine) -> str:
    return "".join(
        [
            deployment("fills", "starcoder2", engine),
            deployment("talks", "general", engine),
            route("completion", "fills"),
            route("generation", "talks"),
            route("chat", "talks"),
        ]
    )


@pytest.fixture(params=list(DIALECTS))
async def served(
    request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path
) -> AsyncGenerator[Served]:
    text = declared(fleet.get(request.param, SMALL))
    async with serving(configuration(tmp_path, text)) as running:
        yield running


async def test_completes_with_the_family_s_own_sentinels(served: Served) -> None:
    async with served.client() as client:
        answer = await client.completions.create(
            model="completion", prompt="def area(w, h):\n    ", suffix="\n", max_tokens=12
        )
        deltas = await client.completions.create(
            model="completion", prompt="def area(w, h):\n    ", suffix="\n", max_tokens=12,
            temperature=0, stream=True, stream_options={"include_usage": True},
        )  # fmt: skip
        chunks = [chunk async for chunk in deltas]
    assert answer.model == "fills"
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 5
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []
    assert sum(bool(chunk.choices and chunk.choices[0].finish_reason) for chunk in chunks) == 1
    assert "fim_" not in "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)


async def test_a_raw_prompt_with_another_family_s_sentinels_is_understood(served: Served) -> None:
    async with served.client() as client:
        raw = await client.completions.create(
            model="completion", prompt="[SUFFIX]\n[PREFIX]def area(w, h):\n    ",
            max_tokens=8, temperature=0,
        )  # fmt: skip
        plain = await client.completions.create(
            model="completion", prompt="def area(w, h):\n    ", suffix="\n",
            max_tokens=8, temperature=0,
        )  # fmt: skip
    assert raw.choices[0].text == plain.choices[0].text


async def test_chats_streamed_and_at_once(served: Served) -> None:
    async with served.client() as client:
        whole = await client.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": "hello"}],
            max_tokens=8, temperature=0, seed=1,
        )  # fmt: skip
        deltas = await client.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": "hello"}],
            max_tokens=8, temperature=0, seed=1, stream=True,
        )  # fmt: skip
        pieces = [chunk.choices[0].delta.content or "" async for chunk in deltas]
    assert whole.usage is not None
    assert 0 < whole.usage.completion_tokens <= 8
    assert "".join(pieces) == whole.choices[0].message.content


async def test_generates(served: Served) -> None:
    async with served.client() as client:
        answer = await client.chat.completions.create(
            model="generation", messages=[{"role": "user", "content": "add two numbers"}],
            max_tokens=16,
        )  # fmt: skip
    assert "```" not in (answer.choices[0].message.content or "")


async def test_lists_its_models(served: Served) -> None:
    async with served.client() as client:
        names = {model.id async for model in client.models.list()}
    assert {"completion", "generation", "chat", "fills", "talks"} <= names


async def test_errors_are_the_client_s_own(served: Served) -> None:
    async with served.client() as client:
        with pytest.raises(openai.NotFoundError, match="no model 'nothing'"):
            await client.completions.create(model="nothing", prompt="x")
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(
                model="chat", messages=[{"role": "user", "content": "word " * 4 * CONTEXT_TOKENS}]
            )
    assert caught.value.code == "context_length_exceeded"
    async with served.client(key="ihk_wrong_0123456789abcdef") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()


async def test_a_long_file_is_cut_to_the_engine_s_window(served: Served) -> None:
    lines = "".join(f"value_{number} = compute(x{number}, [{number}])\n" for number in range(3000))
    async with served.client() as client:
        answer = await client.completions.create(
            model="completion", prompt=lines, suffix=lines, max_tokens=16
        )
    assert answer.usage is not None
    assert answer.usage.prompt_tokens + 16 <= CONTEXT_TOKENS


async def test_curl_gets_an_answer_and_a_stream(served: Served) -> None:
    body = {"model": "completion", "prompt": "x = ", "suffix": "\n", "max_tokens": 4}
    answer = json.loads(await curl(served, body))
    assert answer["object"] == "text_completion"
    stream = await curl(served, {**body, "stream": True})
    assert stream.startswith(b"data: {")
    assert stream.endswith(b"data: [DONE]\n\n")


async def curl(served: Served, body: Mapping[str, object]) -> bytes:
    done = await anyio.run_process(
        [
            *("curl", "--silent", "--show-error", "--fail-with-body", "--no-buffer"),
            *("--max-time", "60", f"{served.url}/v1/completions"),
            *("--header", f"Authorization: Bearer {DEVELOPER}"),
            *("--header", "Content-Type: application/json"),
            *("--data", json.dumps(body)),
        ]
    )
    return done.stdout


@pytest.mark.parametrize("phase", HANG_UP_AFTER)
@pytest.mark.parametrize("name", list(DIALECTS))
async def test_a_hang_up_stops_the_engine(
    name: str, phase: str, fleet: Fleet, tmp_path: Path
) -> None:
    engine = fleet.get(name, SLOW)
    before = await engine.settled()
    async with serving(configuration(tmp_path, declared(engine))) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        # A long prompt keeps the engine busy before it has a token to show.
        words = 900 if phase == "before the first token" else 1
        body: dict[str, object] = {
            "model": "talks",
            "messages": [{"role": "user", "content": "word " * words}],
            "max_tokens": 1000,
            "ignore_eos": True,
            "stream": phase != "not streaming",
        }
        data = msgspec.json.encode(body)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEVELOPER}"
        writer.write(f"{head}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        if HANG_UP_AFTER[phase]:
            await reader.readuntil(b"data: ")
        else:
            with anyio.fail_after(60):
                while not await engine.busy():  # noqa: ASYNC110 - the engine is another process
                    await anyio.sleep(POLL_SECONDS)
        writer.transport.abort()
        (trace,) = await traced(served)
        generated = await engine.settled() - before
    assert trace.outcome is Outcome.CANCELLED
    assert generated < 900


async def traced(served: Served) -> list[Trace]:
    with anyio.fail_after(60):
        while not (found := await served.traces()):
            await anyio.lowlevel.checkpoint()
    return list(found)
