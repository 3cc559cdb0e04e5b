"""The fake of Bedrock, asked by AWS's own client: it keeps to the service model."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from tests.fakes.authority import Authority
from tests.fakes.aws import KEY_ID, SECRET, Known
from tests.fakes.bedrock import (
    CLAUDE,
    LLAMA,
    MISTRAL,
    PROFILE_ARN,
    REGION,
    SONNET,
    FakeBedrock,
    event,
    exception,
    refuses,
    streams,
)

TURNS = [{"role": "user", "content": [{"text": "one two three"}]}]


@pytest.fixture
async def server() -> AsyncGenerator[FakeBedrock]:
    async with FakeBedrock() as made:
        yield made


def client(server: FakeBedrock, **changed: Any) -> Any:
    keys = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}
    session: Any = boto3.Session()
    config = Config(retries={"total_max_attempts": 1})
    return session.client(
        "bedrock-runtime",
        **{"region_name": REGION, "endpoint_url": server.url, "config": config, **keys, **changed},
    )


async def run(ask: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(ask)


async def refused(ask: Callable[[], Any]) -> dict[str, Any]:
    def asking() -> dict[str, Any]:
        with pytest.raises(ClientError) as caught:
            ask()
        error: Any = caught.value
        return error.response

    return await asyncio.to_thread(asking)


async def test_converse(server: FakeBedrock) -> None:
    server.tool = ("look_up", ['{"name":', ' "x"}'])
    server.reasoning = "Let me think."
    answer = await run(
        lambda: client(server).converse(
            modelId=PROFILE_ARN,
            messages=TURNS,
            system=[{"text": "Be brief."}],
            inferenceConfig={"maxTokens": 2},
        )
    )
    thought, text, tool = answer["output"]["message"]["content"]
    assert thought["reasoningContent"]["reasoningText"]["text"] == "Let me think."
    assert text == {"text": " w0 w1"}
    assert tool["toolUse"]["input"] == {"name": "x"}
    assert answer["stopReason"] == "tool_use"
    assert answer["usage"] == {"inputTokens": 12, "outputTokens": 2, "totalTokens": 14}


async def test_converse_stream(server: FakeBedrock) -> None:
    server.tool = ("look_up", ['{"name":', ' "x"}'])
    server.reasoning = "Let me think."
    server.cached_tokens = 3

    def ask() -> list[dict[str, Any]]:
        answer = client(server).converse_stream(
            modelId=CLAUDE, messages=TURNS, inferenceConfig={"maxTokens": 2}
        )
        return list(answer["stream"])

    events = await run(ask)
    assert [next(iter(each)) for each in events] == [
        "messageStart",
        *["contentBlockDelta"] * 2,
        "contentBlockStop",
        *["contentBlockDelta"] * 2,
        "contentBlockStop",
        "contentBlockStart",
        *["contentBlockDelta"] * 2,
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    deltas = [each["contentBlockDelta"]["delta"] for each in events if "contentBlockDelta" in each]
    assert deltas[0] == {"reasoningContent": {"text": "Let me think."}}
    assert deltas[2] == {"text": " w0"}
    assert deltas[-1] == {"toolUse": {"input": ' "x"}'}}
    assert events[7]["contentBlockStart"]["start"]["toolUse"]["name"] == "look_up"
    assert events[-1]["metadata"]["usage"]["cacheReadInputTokens"] == 3


async def test_invoke(server: FakeBedrock) -> None:
    def ask(model: str, body: dict[str, Any]) -> Any:
        answer = client(server).invoke_model(modelId=model, body=json.dumps(body))
        return json.loads(answer["body"].read())

    mistral = await run(lambda: ask(MISTRAL, {"prompt": "a b", "max_tokens": 2}))
    assert mistral == {"outputs": [{"text": " w0 w1", "stop_reason": "length"}]}
    llama = await run(lambda: ask(LLAMA, {"prompt": "a b", "max_gen_len": 1}))
    assert (llama["generation"], llama["stop_reason"]) == (" w0", "length")


async def test_invoke_stream(server: FakeBedrock) -> None:
    def ask() -> list[Any]:
        answer = client(server).invoke_model_with_response_stream(
            modelId=MISTRAL, body=json.dumps({"prompt": "a b", "max_tokens": 1})
        )
        return [json.loads(each["chunk"]["bytes"]) for each in answer["body"]]

    first, last = await run(ask)
    assert first == {"outputs": [{"text": " w0", "stop_reason": None}]}
    assert last["amazon-bedrock-invocationMetrics"]["inputTokenCount"] == 2


async def test_count_tokens(server: FakeBedrock) -> None:
    ask = {"converse": {"messages": TURNS}}
    answer = await run(lambda: client(server).count_tokens(modelId=CLAUDE, input=ask))
    assert answer["inputTokens"] == 10
    error = await refused(lambda: client(server).count_tokens(modelId=MISTRAL, input=ask))
    assert error["Error"]["Code"] == "ValidationException"


async def test_signatures_and_keys(server: FakeBedrock) -> None:
    server.known["ASIATEMPORARYKEYOFMINE"] = Known(SECRET, "a-token")
    server.known["ASIAEXPIREDKEYOFMINE00"] = Known(SECRET, "a-token", expired=True)

    async def code(**keys: str) -> str:
        changed = {f"aws_{name}": value for name, value in keys.items() if name != "region_name"}
        changed |= {name: value for name, value in keys.items() if name == "region_name"}
        asking = client(server, **changed)
        error = await refused(lambda: asking.converse(modelId=CLAUDE, messages=TURNS))
        return error["Error"]["Code"]

    assert await code(secret_access_key="other") == "InvalidSignatureException"
    assert await code(access_key_id="AKIANOBODY0000000000") == "UnrecognizedClientException"
    assert await code(session_token="made-up") == "UnrecognizedClientException"
    assert await code(region_name="us-east-1") == "InvalidSignatureException"
    assert await code(access_key_id="ASIATEMPORARYKEYOFMINE") == "UnrecognizedClientException"
    expired = {"access_key_id": "ASIAEXPIREDKEYOFMINE00", "session_token": "a-token"}
    assert await code(**expired) == "ExpiredTokenException"
    temporary = client(
        server, aws_access_key_id="ASIATEMPORARYKEYOFMINE", aws_session_token="a-token"
    )
    assert await run(lambda: temporary.converse(modelId=CLAUDE, messages=TURNS))


async def test_refusals(server: FakeBedrock) -> None:
    error = await refused(lambda: client(server).converse(modelId=SONNET, messages=TURNS))
    assert error["Error"]["Code"] == "ValidationException"
    assert "inference profile" in error["Error"]["Message"]
    server.faults.append(refuses(429, "ThrottlingException", "Too many requests"))
    error = await refused(lambda: client(server).converse(modelId=CLAUDE, messages=TURNS))
    assert error["Error"]["Code"] == "ThrottlingException"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    server.faults.append(refuses(403, "AccessDeniedException", "No", "Message"))
    error = await refused(lambda: client(server).converse(modelId=CLAUDE, messages=TURNS))
    assert error["Error"] == {"Code": "AccessDeniedException", "Message": "No"}


async def test_exceptions_inside_of_a_stream(server: FakeBedrock) -> None:
    server.faults.append(
        streams(
            event("messageStart", {"role": "assistant"}), exception("throttlingException", "Slow!")
        )
    )

    def ask() -> str:
        answer = client(server).converse_stream(modelId=CLAUDE, messages=TURNS)
        with pytest.raises(EventStreamError) as caught:
            list(answer["stream"])
        answer["stream"].close()
        return str(caught.value)

    assert "Slow!" in await run(ask)


async def test_api_keys_travel_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-of-ours")
    async with FakeBedrock(authority.server()) as server:
        server.bearer = "bedrock-api-key-of-ours"
        asking = client(server, verify=authority.ca_file)
        assert await run(lambda: asking.converse(modelId=CLAUDE, messages=TURNS))
        server.bearer = "another"
        error = await refused(lambda: asking.converse(modelId=CLAUDE, messages=TURNS))
    assert error["Error"]["Code"] == "AccessDeniedException"
    assert server.requests[0].headers["authorization"] == "Bearer bedrock-api-key-of-ours"
