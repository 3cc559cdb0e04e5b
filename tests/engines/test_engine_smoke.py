"""The engines themselves, over plain HTTP: what the provider tests may rely on."""

import json
import re
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream

from tests.engines.engine import Engine

FIM_PROMPT = "<fim_prefix>def area(width, height):\n    <fim_suffix>\n<fim_middle>"
TOOL = {
    "type": "function",
    "function": {"name": "read_weather_station", "parameters": {"type": "object"}},
}


async def test_completes_a_prompt_with_sentinels(engine: Engine) -> None:
    body = {"model": engine.model, "prompt": FIM_PROMPT, "max_tokens": 8, "temperature": 0}
    answer = await engine.post("/v1/completions", body)
    (choice,) = answer["choices"]
    assert choice["text"]
    assert choice["finish_reason"] == "length"
    assert answer["usage"]["prompt_tokens"] == await engine.count_tokens(FIM_PROMPT)
    assert answer["usage"]["completion_tokens"] == 8


async def test_sentinels_are_single_tokens(engine: Engine) -> None:
    assert await engine.count_tokens("<fim_prefix><fim_suffix><fim_middle>") == 3


async def test_chat_template_shows_tools(engine: Engine) -> None:
    body = {"model": engine.model, "messages": [{"role": "user", "content": "Rain?"}]}
    without = await engine.post("/v1/chat/completions", body | {"max_tokens": 4})
    shown = await engine.post("/v1/chat/completions", body | {"max_tokens": 4, "tools": [TOOL]})
    assert shown["usage"]["prompt_tokens"] > without["usage"]["prompt_tokens"] + 20


async def test_streams_the_answer_that_it_gives_at_once(engine: Engine) -> None:
    body = {"model": engine.model, "prompt": FIM_PROMPT, "max_tokens": 8, "temperature": 0}
    answer = await engine.post("/v1/completions", body)
    async with await anyio.connect_tcp("127.0.0.1", engine.port) as stream:
        await stream.send(request("/v1/completions", body | {"stream": True}))
        events = re.findall(r"^data: (.+)$", await received(stream, b"data: [DONE]"), re.MULTILINE)
    assert events[-1].strip() == "[DONE]"
    deltas = [choice["text"] for event in events[:-1] for choice in json.loads(event)["choices"]]
    assert "".join(deltas) == answer["choices"][0]["text"]


async def test_counts_generated_tokens(engine: Engine) -> None:
    before = await engine.settled()
    await engine.post(
        "/v1/completions", {"model": engine.model, "prompt": "import", "max_tokens": 32}
    )
    assert await engine.settled() - before == 32


async def test_stops_when_the_caller_hangs_up(slow_engine: Engine) -> None:
    before = await slow_engine.settled()
    body = {"model": slow_engine.model, "prompt": "import", "max_tokens": 1900, "stream": True}
    async with await anyio.connect_tcp("127.0.0.1", slow_engine.port) as stream:
        await stream.send(request("/v1/completions", body | {"ignore_eos": True}))
        await received(stream, b"data: ")
        assert await slow_engine.busy() == 1
    assert await slow_engine.settled() - before < 1000


def request(path: str, body: dict[str, Any]) -> bytes:
    payload = json.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(payload)}\r\n\r\n{payload}".encode()


async def received(stream: ByteReceiveStream, end: bytes) -> str:
    answer = b""
    while end not in answer:
        answer += await stream.receive()
    return answer.decode()
