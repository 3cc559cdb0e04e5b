"""Asking Bedrock: what goes over the wire, what comes back, and models that are picky."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.core.delta import Delta, Served, Usage
from inhouse.core.prompt import Fim, Messages, Text
from inhouse.core.requests import Message, Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.several import several
from tests.fakes.authority import Authority
from tests.fakes.bedrock import (
    CLAUDE,
    FRAME_TOKENS,
    HOLD,
    IMPORTED_ARN,
    LLAMA,
    MISTRAL,
    PROFILE,
    PROFILE_ARN,
    REGION,
    WINDOW,
    FakeBedrock,
    event,
    exception,
    refuses,
    streams,
)
from tests.fakes.http import Exchange
from tests.providers.bedrock_bench import PROMPT, Bench, text

F = UpstreamFailure


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with FakeBedrock() as server:
        made = Bench(tmp_path, server)
        yield made
        await made.provider.aclose()


def user(said: str) -> Messages:
    return Messages((Message(role="user", content=said),))


# What goes over the wire.


async def test_asks_for_a_stream_with_everything_that_belongs_to_it(bench: Bench) -> None:
    deployment = bench.deployment(
        guardrail_id="abc123",
        guardrail_version="DRAFT",
        model_fields={"top_k": 5},
        headers={"X-Amz-Team": "billing"},
    )
    prompt = Messages(
        (Message(role="system", content="Be brief."), Message(role="user", content="Hello"))
    )
    params = Params(
        max_tokens=2, temperature=1.5, top_p=0.5, stop=("end", "\n"), request_id="r-1", whole=True
    )
    await bench.ask(deployment, prompt, params)
    (request,) = bench.server.requests
    assert request.target == "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse-stream"
    assert request.headers["x-request-id"] == "r-1"
    assert "content-type;host;x-amz-date;x-amz-team" in request.headers["authorization"]
    assert request.json == {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "system": [{"text": "Be brief."}],
        # Claude takes no blank stop sequence; ours to watch.
        "inferenceConfig": {
            "maxTokens": 2,
            "temperature": 1.0,
            "topP": 0.5,
            "stopSequences": ["end"],
        },
        "guardrailConfig": {
            "guardrailIdentifier": "abc123",
            "guardrailVersion": "DRAFT",
            "streamProcessingMode": "sync",
        },
        "additionalModelRequestFields": {"top_k": 5},
    }


@pytest.mark.parametrize("model", [PROFILE, PROFILE_ARN])
async def test_profiles_and_arns_are_percent_encoded(bench: Bench, model: str) -> None:
    assert text(await bench.ask(bench.deployment(model))) == " w0 w1"
    (request,) = bench.server.requests
    assert request.target.count("/") == 3


async def test_raw_prompts_go_by_invoke_model(bench: Bench) -> None:
    deployment = bench.deployment(MISTRAL, guardrail_id="abc", guardrail_version="1")
    assert bench.provider.takes_text(deployment)
    params = Params(max_tokens=2, stop=("w9",), temperature=0.0, top_p=1.0)
    deltas = await bench.ask(deployment, Text("[INST] Hello [/INST]"), params)
    assert text(deltas) == " w0 w1"
    assert deltas[-1].usage == Usage(prompt_tokens=3, completion_tokens=2)
    (request,) = bench.server.requests
    assert request.headers["x-amzn-bedrock-guardrailidentifier"] == "abc"
    assert request.json == {
        "prompt": "[INST] Hello [/INST]",
        "max_tokens": 2,
        "stop": ["w9"],
        "temperature": 0.0,
        "top_p": 1.0,
    }


async def test_which_models_take_text(bench: Bench) -> None:
    takes = bench.provider.takes_text
    assert takes(bench.deployment(LLAMA))
    assert takes(bench.deployment(f"us.{LLAMA}"))
    assert takes(bench.deployment(IMPORTED_ARN, raw_prompts="openai"))
    assert not takes(bench.deployment(IMPORTED_ARN))
    assert not takes(bench.deployment(CLAUDE))
    assert not takes(bench.deployment("mistral.mistral-large-2407-v1:0"))
    assert not takes(bench.deployment(MISTRAL, raw_prompts="none"))
    assert not takes(bench.deployment(MISTRAL, region="nowhere"))


async def test_llama_is_stopped_by_us(bench: Bench) -> None:
    params = Params(max_tokens=50, stop=("w2 w3",))
    deltas = await bench.ask(bench.deployment(LLAMA), Text("Hello"), params)
    assert text(deltas) == " w0 w1 "
    assert [each.finish_reason for each in deltas if each.finish_reason] == ["stop"]
    assert bench.server.asked("invoke-with-response-stream") == [
        {"prompt": "Hello", "max_gen_len": 50}
    ]


async def test_a_hole_is_not_ours_to_render(bench: Bench) -> None:
    error = await bench.fail(prompt=Fim(prefix="a"))
    assert error.failure is F.BAD_REQUEST


# What comes back.


async def test_reads_text_reasoning_tools_and_usage(bench: Bench) -> None:
    bench.server.reasoning = "Let me think."
    bench.server.tool = ("look_up", ['{"name":', ' "x"}'])
    bench.server.cached_tokens = 2
    deltas = await bench.ask()
    start = {"name": "look_up", "arguments": ""}
    assert deltas == [
        Delta(reasoning="Let me think."),
        Delta(text=" w0"),
        Delta(text=" w1"),
        Delta(tool_calls=[{"index": 0, "id": "tooluse_1", "type": "function", "function": start}]),
        Delta(tool_calls=[{"index": 0, "function": {"arguments": '{"name":'}}]),
        Delta(tool_calls=[{"index": 0, "function": {"arguments": ' "x"}'}}]),
        Delta(finish_reason="tool_calls"),
        Delta(usage=Usage(prompt_tokens=4 + FRAME_TOKENS, completion_tokens=2, cached_tokens=2)),
    ]


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("something_new", "stop"),
    ],
)
async def test_finish_reasons(bench: Bench, stop_reason: str, finish_reason: str) -> None:
    bench.server.stop_reason = stop_reason
    assert [each.finish_reason for each in await bench.ask() if each.finish_reason] == [
        finish_reason
    ]


async def test_several_choices_are_asked_for_at_once(bench: Bench) -> None:
    deltas = await bench.ask(params=Params(max_tokens=2, n=3))
    for index in range(3):
        assert text([each for each in deltas if each.index == index]) == " w0 w1"
    assert sorted(each.index for each in deltas if each.finish_reason) == [0, 1, 2]
    assert deltas[-1].usage == Usage(prompt_tokens=3 * (4 + FRAME_TOKENS), completion_tokens=6)
    assert len(bench.server.requests) == 3


async def test_one_failing_choice_ends_all(bench: Bench) -> None:
    bench.server.faults.append(refuses(429, "ThrottlingException", "Too many requests"))
    deployment = bench.deployment(headers={HOLD: "1"})
    with pytest.raises(UpstreamError, match="Too many requests"):
        await bench.ask(deployment, PROMPT, Params(n=3))
    await bench.server.until(lambda: not bench.server.busy)


async def test_answers_that_are_read_slowly_wait() -> None:
    async def answer() -> AsyncGenerator[Delta]:
        for number in range(200):
            yield Delta(text=f"{number} ")

    deltas = several(2, answer)
    first = await anext(deltas)
    assert first.text == "0 "
    rest = [each async for each in deltas]
    assert len(rest) == 399


# Models that are picky.


async def test_tells_what_it_has_learned(bench: Bench) -> None:
    deployment = bench.deployment()
    assert bench.provider.habits(deployment) == []
    bench.server.unsupported = {"streaming"}
    assert all(await asyncio.gather(*(bench.ask(deployment) for _ in range(5))))
    assert bench.provider.habits(deployment) == [
        "It does not stream: inhouse asks for whole answers."
    ]


async def test_learns_that_a_model_takes_no_instructions_apart(bench: Bench) -> None:
    bench.server.unsupported = {"system"}
    prompt = Messages(
        (Message(role="system", content="Be brief."), Message(role="user", content="Hello"))
    )
    deployment = bench.deployment()
    await bench.ask(deployment, prompt)
    await bench.ask(deployment, prompt)
    asked = bench.server.asked("converse-stream")
    assert len(asked) == 3
    assert asked[1] == asked[2]
    assert asked[2]["messages"][0]["content"] == [{"text": "Be brief."}, {"text": "Hello"}]


async def test_learns_which_fields_a_model_does_not_take(bench: Bench) -> None:
    bench.server.unsupported = {"temperature", "stopSequences"}
    params = Params(max_tokens=9, temperature=0.5, stop=("w1",))
    deltas = await bench.ask(None, PROMPT, params)
    assert text(deltas) == " w0 "
    assert bench.server.asked("converse-stream")[-1]["inferenceConfig"] == {"maxTokens": 9}


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (
            (
                "`temperature` and `top_p` cannot both be specified for this model."
                " Please use only one."
            ),
            {"temperature": 0.5},
        ),
        ("`temperature` is deprecated for this model.", {"topP": 0.5}),
    ],
)
async def test_learns_from_claude(bench: Bench, said: str, left: dict[str, Any]) -> None:
    bench.server.faults.append(
        refuses(400, "ValidationException", f"The model returned the following errors: {said}")
    )
    await bench.ask(None, PROMPT, Params(temperature=0.5, top_p=0.5))
    assert bench.server.asked("converse-stream")[-1]["inferenceConfig"] == left


async def test_asks_for_a_whole_answer_where_nothing_streams(bench: Bench) -> None:
    bench.server.unsupported = {"streaming"}
    bench.server.tool = ("look_up", ["{}"])
    bench.server.reasoning = "Let me think."
    function = {"name": "look_up", "arguments": "{}"}
    for _ in range(2):
        deltas = await bench.ask(None, PROMPT, Params(max_tokens=9, stop=("w2", "\n")))
        assert deltas == [
            Delta(reasoning="Let me think."),
            Delta(text=" w0 w1"),
            Delta(
                tool_calls=[
                    {"index": 0, "id": "tooluse_1", "type": "function", "function": function}
                ]
            ),
            Delta(finish_reason="tool_calls"),
            Delta(usage=Usage(prompt_tokens=4 + FRAME_TOKENS, completion_tokens=2)),
        ]
    assert len(bench.server.asked("converse-stream")) == 1


async def test_tools_may_need_a_whole_answer(bench: Bench) -> None:
    bench.server.unsupported = {"tool use in streaming mode"}
    tool = {"type": "function", "function": {"name": "look_up", "description": "Looks up."}}
    await bench.ask(None, PROMPT, Params(extra={"tools": [tool]}))
    await bench.ask(None, PROMPT)
    assert [each.target.rpartition("/")[2] for each in bench.server.requests] == [
        "converse-stream",
        "converse",
        "converse-stream",
    ]


async def test_learns_that_a_model_takes_no_raw_prompt(bench: Bench) -> None:
    bench.server.takes_prompts = False
    deployment = bench.deployment(MISTRAL)
    error = await bench.fail(deployment, Text("Hello"))
    assert error.failure is F.MESSAGES_ONLY
    assert not bench.provider.takes_text(deployment)
    assert (await bench.fail(deployment, Text("Hello"))).failure is F.MESSAGES_ONLY
    assert text(await bench.ask(deployment)) == " w0 w1"


async def test_says_when_a_prompt_is_too_long(bench: Bench) -> None:
    long = "confidential " * (WINDOW + 1)
    for deployment, prompt in [
        (bench.deployment(), user(long)),
        (bench.deployment(MISTRAL), Text(long)),
    ]:
        assert (await bench.fail(deployment, prompt)).failure is F.CONTEXT_LENGTH


# Streams that are broken.

DELTA = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}})
STOP = event("messageStop", {"stopReason": "end_turn"})
USAGE = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
METADATA = event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}})


async def test_several_frames_may_come_at_once(bench: Bench) -> None:
    bench.server.faults.append(streams(DELTA + DELTA + STOP + METADATA))
    assert text(await bench.ask()) == "HelloHello"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(cuts=st.sets(st.integers(1, len(DELTA + STOP + METADATA) - 1), max_size=30))
async def test_frames_may_come_in_any_pieces(bench: Bench, cuts: set[int]) -> None:
    whole = DELTA + STOP + METADATA
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    bench.server.faults.append(streams(*pieces))
    deltas = await bench.ask()
    assert text(deltas) == "Hello"
    assert deltas[-1].usage == Usage(prompt_tokens=1, completion_tokens=1)


async def test_an_answer_without_usage_is_one(bench: Bench) -> None:
    bench.server.faults.append(streams(DELTA, STOP))
    assert [each.finish_reason for each in await bench.ask()] == [None, "stop"]


@pytest.mark.parametrize(
    ("kind", "failure", "status"),
    [
        ("throttlingException", F.RATE_LIMITED, 429),
        ("internalServerException", F.SERVER, 500),
        ("modelStreamErrorException", F.SERVER, 424),
        ("serviceUnavailableException", F.SERVER, 503),
        ("validationException", F.BAD_REQUEST, 400),
        ("modelTimeoutException", F.TIMEOUT, 408),
    ],
)
async def test_exceptions_inside_of_a_stream(
    bench: Bench, kind: str, failure: UpstreamFailure, status: int
) -> None:
    bench.server.faults.append(streams(DELTA, exception(kind, "It went wrong.")))
    deltas = bench.provider.stream(bench.deployment(), PROMPT, Params())
    assert (await anext(deltas)).text == "Hello"
    with pytest.raises(UpstreamError, match=r"It went wrong\.") as caught:
        await anext(deltas)
    assert (caught.value.failure, caught.value.status) == (failure, status)


async def test_a_damaged_frame_is_noticed(bench: Bench) -> None:
    damaged = bytearray(DELTA)
    damaged[-8] ^= 1
    bench.server.faults.append(streams(bytes(damaged), STOP))
    error = await bench.fail()
    assert (error.failure, error.status) == (F.PROTOCOL, 200)
    assert "ChecksumMismatch" in error.message


@pytest.mark.parametrize("said", [(), (DELTA,), (DELTA + STOP[:20],)])
async def test_a_stream_that_ends_early_is_noticed(bench: Bench, said: tuple[bytes, ...]) -> None:
    for end in (b"0\r\n\r\n", b""):
        bench.server.faults.append(streams(*said, end=end))
        assert (await bench.fail()).failure is F.CLOSED


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>Sign in</html>", "text/html"),
        (b"{}", "application/json"),
        (event("contentBlockDelta", {"delta": 7}), "application/vnd.amazon.eventstream"),
    ],
)
async def test_whatever_else_answers_is_not_bedrock(
    bench: Bench, body: bytes, content_type: str
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(200, body, content_type)

    bench.server.faults.append(handler)
    error = await bench.fail()
    assert (error.failure, error.param) == (F.PROTOCOL, "endpoint")


# Hanging up.


@pytest.mark.parametrize("n", [1, 3])
async def test_hanging_up_before_the_first_token_reaches_bedrock(bench: Bench, n: int) -> None:
    deployment = bench.deployment(headers={HOLD: "1"})
    deltas = bench.provider.stream(deployment, PROMPT, Params(n=n, whole=True))
    asking = asyncio.ensure_future(anext(deltas))
    await bench.server.until(lambda: bench.server.busy == n)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await deltas.aclose()
    await bench.server.until(lambda: not bench.server.peers)
    assert bench.server.generated == 0


@pytest.mark.parametrize("n", [1, 3])
async def test_hanging_up_in_mid_stream_reaches_bedrock(bench: Bench, n: int) -> None:
    many = 100_000
    deltas = bench.provider.stream(bench.deployment(), PROMPT, Params(n=n, max_tokens=many))
    await anext(deltas)
    await deltas.aclose()
    await bench.server.until(lambda: not bench.server.peers)
    assert bench.server.generated < n * many / 2


async def test_stopping_at_a_sequence_hangs_up(bench: Bench) -> None:
    params = Params(max_tokens=100_000, stop=("w3",))
    await bench.ask(bench.deployment(LLAMA), Text("Hello"), params)
    await bench.server.until(lambda: not bench.server.peers)
    assert bench.server.generated < 50_000


async def test_no_connection_is_left_in_the_end(bench: Bench) -> None:
    for _ in range(3):
        await bench.ask()
        await bench.provider.count_tokens(bench.deployment(), "one")
    assert bench.server.peers
    await bench.provider.aclose()
    await bench.server.until(lambda: not bench.server.peers)


def left_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_is_left_of_requests_that_fail(tmp_path: Path) -> None:
    before = left_open(), len(asyncio.all_tasks())
    async with FakeBedrock() as server:
        bench = Bench(tmp_path, server)
        faults = [
            refuses(429, "ThrottlingException", "Too many requests"),
            streams(DELTA, exception("internalServerException", "Sorry.")),
            streams(DELTA[:-1] + b"x"),
            streams(DELTA, end=b""),
            reset,
        ]
        for round_ in range(40):
            server.faults.append(faults[round_ % len(faults)])
            await bench.fail()
            deltas = bench.provider.stream(bench.deployment(), PROMPT, Params(max_tokens=10_000))
            await anext(deltas)
            await deltas.aclose()
        await bench.provider.aclose()
        await server.until(lambda: not server.peers)
    assert (left_open(), len(asyncio.all_tasks())) == before


async def reset(exchange: Exchange) -> None:
    exchange.reset()


# Keys that are shown, not signed with.


async def test_an_api_key_goes_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with FakeBedrock(authority.server()) as server:
        server.bearer = "bedrock-api-key-1"
        ours = Bench(tmp_path, server)
        inherited = Bench(tmp_path, server, AWS_BEARER_TOKEN_BEDROCK="bedrock-api-key-1")
        ca_file = {"ca_file": authority.ca_file}
        assert await ours.ask(ours.deployment(key="bedrock-api-key-1", **ca_file))
        assert await inherited.ask(inherited.deployment(key="", **ca_file))
        # Keys of its own go before the environment's.
        assert await inherited.ask(inherited.deployment(**ca_file))
        error = await ours.fail(ours.deployment(key="bedrock-api-key-2", **ca_file))
        assert (error.failure, error.param) == (F.AUTHENTICATION, "api_key")
        assert "bedrock-api-key-2" not in error.message
        await ours.provider.aclose()
        await inherited.provider.aclose()
    assert server.requests[1].headers["authorization"] == "Bearer bedrock-api-key-1"
    assert server.requests[2].headers["authorization"].startswith("AWS4-HMAC-SHA256 ")


# Counting, and what can be told without cost.


async def test_counts_tokens_of_claude(bench: Bench) -> None:
    count = bench.provider.count_tokens
    deployment = bench.deployment(f"eu.{CLAUDE}")
    assert await count(deployment, "one two three") == 3
    assert await count(deployment, "") == 0
    assert await count(deployment, "\n") is None
    # It counts for foundation models only.
    assert {each.target for each in bench.server.requests} == {
        "/model/anthropic.claude-3-haiku-20240307-v1%3A0/count-tokens"
    }


async def test_learns_that_a_model_is_not_counted_for(bench: Bench) -> None:
    deployment = bench.deployment(MISTRAL)
    assert await bench.provider.count_tokens(deployment, "one") is None
    assert await bench.provider.count_tokens(deployment, "one") is None
    assert len(bench.server.requests) == 1


async def test_serves_what_is_named(bench: Bench) -> None:
    for model in (CLAUDE, MISTRAL, IMPORTED_ARN):
        assert await bench.provider.served(bench.deployment(model)) == [Served(name=model)]


async def test_serving_shows_wrong_credentials_and_regions(bench: Bench) -> None:
    for deployment, param in [
        (bench.deployment(key="AKIANOBODY0000000000:x"), "api_key"),
        (bench.deployment(region="us-east-1"), "options.region"),
    ]:
        with pytest.raises(UpstreamError) as caught:
            await bench.provider.served(deployment)
        assert (caught.value.failure, caught.value.param) == (F.AUTHENTICATION, param)
    assert REGION != "us-east-1"
