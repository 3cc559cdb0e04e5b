"""Talking to upstreams that are misdescribed, picky, slow, broken or gone."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import Deadlines
from inhouse.core.delta import Delta, Usage, merged
from inhouse.core.ports import ProviderContext
from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import Message, Params
from inhouse.core.secret import Secret
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.providers.openai_compatible import OpenAI, OpenAICompatible, heal
from tests.fakes.authority import Authority
from tests.fakes.http import Exchange, Handler
from tests.fakes.openai import LLAMA, OLLAMA, STREAM_HEAD, VLLM, Dialect, FakeOpenAI, sse

PROMPT = Text("def transfer(amount, iban, account_of_the_customer):\n")
CHAT = Messages((Message(role="user", content="hi"),))
F = UpstreamFailure


class Bench:
    """A provider, and the means to ask it."""

    def __init__(self, cache: Path) -> None:
        self.deadlines = Deadlines()
        self.context = ProviderContext(cache=cache, proxies={"http_proxy": "http://nowhere:1"})
        self.provider = OpenAICompatible(self.context)

    def deployment(self, endpoint: str, **options: Any) -> Deployment:
        return Deployment(
            name="codestral here",
            family="codestral",
            identifier="custom_openai/tiny-coder",
            endpoint=endpoint,
            api_key=Secret("sk-hush"),
            options=options,
        )

    async def ask(
        self, deployment: Deployment, prompt: Prompt = PROMPT, params: Params | None = None
    ) -> list[Delta]:
        params = params or Params(max_tokens=3, deadlines=self.deadlines)
        async with aclosing(self.provider.stream(deployment, prompt, params)) as deltas:
            return [delta async for delta in deltas]

    async def fail(self, deployment: Deployment, prompt: Prompt = PROMPT) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await self.ask(deployment, prompt)
        error = caught.value
        assert error.deployment == "codestral here"
        assert "sk-hush" not in error.message
        assert "account_of_the_customer" not in error.message
        return error


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.provider.aclose()


def says(status: int, body: object, headers: str = "", kind: str = "application/json") -> Handler:
    raw = body if isinstance(body, str) else json.dumps(body)

    async def handler(exchange: Exchange) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{headers}"
        payload = raw.encode()
        await exchange.send(f"{head}content-length: {len(payload)}\r\n\r\n".encode() + payload)

    return handler


def streams(*events: object, end: bytes = b"0\r\n\r\n") -> Handler:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(STREAM_HEAD)
        for event in events:
            await exchange.send(
                sse(event if isinstance(event, bytes) else json.dumps(event).encode())
            )
        await exchange.send(end)
        if not end:
            exchange.close()

    return handler


def chunk(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish_reason}]}


# What goes over the wire.


async def test_asks_for_a_stream_with_everything_that_belongs_to_it(bench: Bench) -> None:
    async with FakeOpenAI(api_key="sk-hush") as server:
        deployment = bench.deployment(server.endpoint, headers={"X-Team": "billing"})
        params = Params(max_tokens=2, stop=("end",), request_id="req-1")
        deltas = await bench.ask(deployment, PROMPT, params)
    assert merged(deltas[:-1]) == [Delta(text=" w0 w1", finish_reason="length", pieces=3)]
    assert deltas[-1].usage == Usage(prompt_tokens=4, completion_tokens=2)
    (request,) = server.requests
    assert request.target == "/v1/completions"
    assert request.headers["authorization"] == "Bearer sk-hush"
    assert request.headers["x-request-id"] == "req-1"
    assert request.headers["x-team"] == "billing"
    assert request.headers["user-agent"].startswith("inhouse/")
    assert request.json == {
        "model": "tiny-coder",
        "prompt": PROMPT.text,
        "max_tokens": 2,
        "stop": ["end"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "skip_special_tokens": False,
    }


async def test_messages_go_to_the_chat_route(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        prompt = Messages((Message(role="user", content="hi"),))
        await bench.ask(bench.deployment(server.endpoint), prompt)
    assert server.requests[0].target == "/v1/chat/completions"


async def test_a_hole_is_refused_before_anything_is_sent(bench: Bench) -> None:
    error = await bench.fail(bench.deployment("http://127.0.0.1:1/v1"), Fim(prefix="a"))
    assert error.failure is F.BAD_REQUEST


async def test_no_key_sends_no_authorization(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        deployment = msgspec.structs.replace(bench.deployment(server.endpoint), api_key=Secret())
        await bench.ask(deployment)
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("request_id", ["a\r\nb: c", "ä", ""])
async def test_a_request_id_cannot_split_the_request(bench: Bench, request_id: str) -> None:
    async with FakeOpenAI() as server:
        params = Params(max_tokens=1, request_id=request_id)
        await bench.ask(bench.deployment(server.endpoint), PROMPT, params)
    assert "x-request-id" not in server.requests[0].headers


async def test_changed_deployments_and_settings_hold_at_once(bench: Bench) -> None:
    async with FakeOpenAI() as first, FakeOpenAI() as second:
        await bench.ask(bench.deployment(first.endpoint))
        await bench.ask(bench.deployment(second.endpoint))
        assert [len(first.requests), len(second.requests)] == [1, 1]
        bench.deadlines = Deadlines(first_token=0.05)
        second.faults.append(Exchange.hang)
        error = await bench.fail(bench.deployment(second.endpoint))
    assert error.failure is F.TIMEOUT


async def test_connections_are_shared_and_bounded(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        deployment = bench.deployment(server.endpoint, max_connections=3)
        answers = await asyncio.gather(*(bench.ask(deployment) for _ in range(30)))
        assert all(answers)
        assert server.connections <= 3


async def test_presents_its_certificate(bench: Bench, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with FakeOpenAI(tls=authority.server(asks_client=True)) as server:
        options = {
            "ca_file": authority.ca_file,
            "client_cert_file": authority.client_cert_file,
            "client_key_file": authority.client_key_file,
        }
        deployment = bench.deployment(server.endpoint, **options)
        bench.provider.check(deployment)
        assert await bench.ask(deployment)
        error = await bench.fail(bench.deployment(server.endpoint))
    assert error.failure is F.TLS


async def test_asks_through_the_proxy_of_its_options(bench: Bench) -> None:
    async with FakeOpenAI() as proxy:
        proxy.prefix = "http://far.example/v1"
        deployment = bench.deployment("http://far.example/v1", proxy=proxy.url)
        assert await bench.ask(deployment)
    assert proxy.requests[0].headers["host"] == "far.example"


# Addresses.


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        ("http://h:1/v1", "http://h:1/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        (" http://h:1/v1 ", "http://h:1/v1"),
        ("http://h:1", "http://h:1/v1"),
        ("http://h:1/", "http://h:1/v1"),
        ("http://h:1/v1/v1", "http://h:1/v1"),
        ("http://h:1/v1/v1/", "http://h:1/v1"),
        ("http://h:1//v1", "http://h:1/v1"),
        ("http://h:1/v1/completions", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions/", "http://h:1/v1"),
        ("http://h:1/v1/models?x=y#z", "http://h:1/v1"),
        ("http://h:1/api/v3", "http://h:1/api/v3"),
        ("http://h:1/openai", "http://h:1/openai"),
        ("HTTP://h:1/v1", "http://h:1/v1"),
    ],
)
def test_heals_addresses(endpoint: str, base: str) -> None:
    healed, remark = heal(endpoint)
    assert healed == base
    assert (remark is None) == (endpoint.strip().rstrip("/") == base)


@given(st.text(max_size=60))
def test_healing_twice_changes_nothing(endpoint: str) -> None:
    healed, _ = heal(f"http://{endpoint}")
    assert heal(healed) == (healed, None)


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/v1", "/v1"),
        ("/v1", ""),
        ("/v1", "/"),
        ("/v1", "/v1/v1"),
        ("/v1", "/v1/chat/completions"),
        ("/llm/v1", "/llm"),
        ("/llm", "/llm/v1"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("dialect", [VLLM, LLAMA, OLLAMA], ids=lambda dialect: dialect.name)
async def test_finds_the_routes(bench: Bench, dialect: Any, prefix: str, path: str) -> None:
    async with FakeOpenAI(dialect, prefix=prefix) as server:
        deployment = bench.deployment(server.url + path)
        for _ in range(3):
            assert await bench.ask(deployment)
        assert len(server.requests) <= 4  # looked for once
        remarks = bench.provider.remarks(deployment)
        if prefix == path:
            assert remarks == []
        elif path != "/" or prefix:
            assert remarks == [f"The endpoint should be {server.endpoint}"]
        (served,) = await bench.provider.served(deployment)
        assert served.name == "tiny-coder"


async def test_says_that_there_is_no_such_route_and_looks_only_once(bench: Bench) -> None:
    async with FakeOpenAI(prefix="/elsewhere/v1") as server:
        deployment = bench.deployment(server.url + "/v1")
        # Both addresses, then both once more for whether messages at least have a route.
        for requests in (4, 5):
            error = await bench.fail(deployment)
            assert (error.failure, error.param) == (F.PROTOCOL, "endpoint")
            assert f"{server.url}/v1" in error.message
            assert len(server.requests) == requests


async def test_an_unknown_model_is_no_wrong_address(bench: Bench) -> None:
    async with FakeOpenAI(model="tiny-coder-2") as server:
        for _ in range(2):
            error = await bench.fail(bench.deployment(server.endpoint))
            assert error.failure is F.UNKNOWN_MODEL
            assert "did you mean 'tiny-coder-2'?" in error.message
        assert [each.target for each in server.requests] == [
            "/v1/completions",
            "/v1/models",
            "/v1/completions",
        ]


# Habits.


async def test_learns_to_leave_stream_options_out(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        server.unsupported = {"stream_options"}
        deployment = bench.deployment(server.endpoint)
        for _ in range(2):
            deltas = await bench.ask(deployment)
            assert deltas[-1] == Delta(finish_reason="length")
    assert ["stream_options" in each for each in server.asked()] == [True, False, False]


async def test_learns_to_say_max_completion_tokens(bench: Bench) -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    async with FakeOpenAI() as server:
        server.faults.append(says(400, {"error": {"message": message, "param": "max_tokens"}}))
        for _ in range(2):
            assert await bench.ask(bench.deployment(server.endpoint))
    assert ["max_tokens" in each for each in server.asked()] == [True, False, False]
    assert server.asked()[-1]["max_completion_tokens"] == 3


async def test_learns_to_leave_special_tokens_alone(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        server.unsupported = {"skip_special_tokens"}
        for _ in range(2):
            assert await bench.ask(bench.deployment(server.endpoint))
    assert ["skip_special_tokens" in each for each in server.asked()] == [True, False, False]


@pytest.mark.parametrize(
    ("error", "field"),
    [
        ({"message": "Unsupported value", "code": "unsupported_value", "param": "top_p"}, "top_p"),
        ({"message": "Unrecognized request argument supplied: seed"}, "seed"),
        ({"message": "[{'type': 'extra_forbidden', 'loc': ('body', 'temperature'), 'msg': 'Extra"
          " inputs are not permitted', 'input': 0.5}]"}, "temperature"),
        ({"message": "Unknown parameter: 'stop'.", "param": "stop"}, "stop"),
        ({"message": "`stop` is not supported with this model."}, "stop"),
        ({"message": "o1 models do not support temperature=0.5."}, "temperature"),
    ],
)  # fmt: skip
async def test_learns_from_one_refusal_one_thing(
    bench: Bench, error: dict[str, str], field: str
) -> None:
    params = Params(max_tokens=9, temperature=0.5, top_p=0.5, seed=7, stop=("w4",))
    async with FakeOpenAI() as server:
        server.faults.append(says(400, {"error": error}))
        deployment = bench.deployment(server.endpoint)
        for _ in range(2):
            deltas = await bench.ask(deployment, PROMPT, params)
            assert "".join(delta.text for delta in deltas).rstrip() == " w0 w1 w2 w3"
        first, second, third = server.asked()
    assert second == third == {name: value for name, value in first.items() if name != field}
    (told,) = bench.provider.habits(deployment)
    assert field in told


@pytest.mark.parametrize(
    "message",
    [
        "temperature must be between 0 and 2",
        "top_p and temperature cannot both be set",
        "unsupported",
        "This model does not support tools",
        "The model seed-coder does not support images; please stop to send any",
        "unknown field: response_format",
    ],
)
async def test_other_refusals_teach_nothing(bench: Bench, message: str) -> None:
    params = Params(temperature=0.5, top_p=0.5, extra={"tools": [], "response_format": {}})
    async with FakeOpenAI() as server:
        server.faults.append(says(400, {"error": {"message": message}}))
        deployment = bench.deployment(server.endpoint)
        with pytest.raises(UpstreamError):
            await bench.ask(deployment, PROMPT, params)
        assert len(server.asked()) == 1
    assert bench.provider.habits(deployment) == []


async def test_never_asks_without_end(bench: Bench) -> None:
    refusals = ["stream_options", "include_usage", "max_completion_tokens", "max_tokens"]
    async with FakeOpenAI() as server:
        for name in refusals * 5:
            server.faults.append(says(400, {"error": {"message": f"'{name}' is not supported"}}))
        assert (await bench.fail(bench.deployment(server.endpoint))).failure is F.BAD_REQUEST
        assert len(server.asked()) < len(refusals)


async def test_ends_each_choice_where_its_upstream_cannot(bench: Bench) -> None:
    choices = [
        [{"index": 0, "text": "a; b"}, {"index": 1, "text": "c"}],
        [{"index": 0, "text": "dropped"}, {"index": 1, "text": ";"}],
        [{"index": 0, "text": "", "finish_reason": "length"}],
        [{"index": 1, "text": "never asked for"}],
    ]
    async with FakeOpenAI() as server:
        server.faults.append(says(400, {"error": {"message": "'stop' is not supported"}}))
        server.faults.append(streams(*({"choices": each} for each in choices), b"[DONE]"))
        params = Params(max_tokens=9, n=2, stop=(";",))
        deltas = await bench.ask(bench.deployment(server.endpoint), PROMPT, params)
    assert deltas == [
        Delta(text="a", finish_reason="stop"),
        Delta(text="c", index=1),
        Delta(text="", index=1, finish_reason="stop"),
    ]


async def test_hangs_up_where_every_choice_has_ended(bench: Bench) -> None:
    async def going_on(exchange: Exchange) -> None:
        await streams(chunk("a"), chunk("b; c"), end=b"1\r\n")(exchange)
        await exchange.hang()

    async with FakeOpenAI() as server:
        server.faults.append(says(400, {"error": {"message": "'stop' is not supported"}}))
        server.faults.append(going_on)
        deltas = await bench.ask(
            bench.deployment(server.endpoint), PROMPT, Params(max_tokens=9, stop=(";",))
        )
        await server.until(lambda: server.aborted == 1)
    assert "".join(delta.text for delta in deltas) == "ab"
    assert deltas[-1].finish_reason == "stop"


# Text or messages.


async def test_learns_that_a_model_takes_messages_only(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        server.completes = False
        deployment = bench.deployment(server.endpoint)
        assert bench.provider.takes_text(deployment)
        error = await bench.fail(deployment)
        assert (error.failure, error.retryable) == (F.MESSAGES_ONLY, False)
        assert not bench.provider.takes_text(deployment)
        assert await bench.ask(deployment, CHAT)


async def test_learns_that_a_server_has_no_route_for_text(bench: Bench) -> None:
    for known in (False, True):
        async with FakeOpenAI() as server:
            server.routes = {"/chat/completions"}
            deployment = bench.deployment(server.endpoint)
            if known:
                assert await bench.ask(deployment, CHAT)
            assert (await bench.fail(deployment)).failure is F.MESSAGES_ONLY
            assert not bench.provider.takes_text(deployment)
            assert await bench.ask(deployment, CHAT)


async def test_a_server_that_is_gone_for_a_moment_teaches_nothing(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        deployment = bench.deployment(server.endpoint)
        assert await bench.ask(deployment)
        server.routes = set()
        assert (await bench.fail(deployment)).failure is F.PROTOCOL
        assert bench.provider.takes_text(deployment)


async def test_believes_the_options(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        server.completes = False
        asked = bench.deployment(server.endpoint, takes_text=True)
        error = await bench.fail(asked)
        assert (error.failure, error.param) == (F.BAD_REQUEST, "options.takes_text")
        assert bench.provider.takes_text(asked)
        told = bench.deployment(server.endpoint, takes_text=False)
        assert not bench.provider.takes_text(told)


async def test_openai_itself_needs_no_endpoint(bench: Bench) -> None:
    cloud = OpenAI(bench.context)
    deployment = msgspec.structs.replace(bench.deployment(""), identifier="openai/gpt-5")
    cloud.check(deployment)
    assert cloud.endpoints(deployment) == {("api.openai.com", 443)}
    assert cloud.takes_text(deployment)
    assert cloud.remarks(deployment) == []
    assert await cloud.count_tokens(deployment, "text") is None
    await cloud.aclose()


async def test_openai_with_an_endpoint_is_like_any_server(bench: Bench) -> None:
    cloud = OpenAI(bench.context)
    async with FakeOpenAI(api_key="sk-hush") as server:
        deployment = bench.deployment(server.url)
        deltas = [each async for each in cloud.stream(deployment, PROMPT, Params(max_tokens=1))]
        assert deltas[0].text == " w0"
        assert cloud.remarks(deployment) == [f"The endpoint should be {server.endpoint}"]
    await cloud.aclose()


@pytest.mark.parametrize(
    ("dialect", "option", "streams"),
    [(VLLM, {}, True), (LLAMA, {}, True), (LLAMA, {"whole_answers": True}, False)],
)
async def test_asks_for_whole_answers_where_the_option_says_so(
    bench: Bench, dialect: Dialect, option: dict[str, bool], *, streams: bool
) -> None:
    prompt = Messages((Message(role="user", content="hi"),))
    async with FakeOpenAI(dialect) as server:
        deployment = bench.deployment(server.endpoint, **option)
        for _ in range(2):
            deltas = await bench.ask(deployment, prompt, Params(max_tokens=2, whole=True))
            assert "".join(delta.text for delta in deltas) == " w0 w1"
            assert deltas[-1].usage is not None
    assert [each.get("stream", False) for each in server.asked()] == [streams, streams]


async def test_stops_asking_for_tokens_where_nobody_counts(bench: Bench) -> None:
    async with FakeOpenAI(OLLAMA) as server:
        deployment = bench.deployment(server.endpoint)
        for _ in range(3):
            assert await bench.provider.count_tokens(deployment, "text") is None
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/event-stream"])
async def test_takes_a_whole_answer(bench: Bench, kind: str) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    whole = {"choices": [{"index": 0, "text": "hi", "finish_reason": "stop"}], "usage": usage}
    body = f"data: {json.dumps(whole)}\n\n" if kind == "text/event-stream" else json.dumps(whole)
    async with FakeOpenAI() as server:
        server.faults.append(says(200, body, kind=kind))
        deltas = await bench.ask(bench.deployment(server.endpoint))
    assert "".join(delta.text for delta in deltas) == "hi"
    assert [delta.finish_reason for delta in deltas if delta.finish_reason] == ["stop"]
    told = [delta.usage for delta in deltas if delta.usage is not None]
    assert told == [Usage(prompt_tokens=1, completion_tokens=2)]
    assert deltas[-1].usage is not None


async def test_takes_a_stream_under_another_label(bench: Bench) -> None:
    events = f": hello\n\ndata: {json.dumps(chunk('a', 'stop'))}\n\ndata: [DONE]\n\n"
    async with FakeOpenAI() as server:
        server.faults.append(says(200, events, kind="text/plain"))
        deltas = await bench.ask(bench.deployment(server.endpoint))
    assert deltas == [Delta(text="a", finish_reason="stop")]


async def test_takes_a_stream_without_its_last_word(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        server.faults.append(streams(chunk("a"), chunk("", "stop")))
        deltas = await bench.ask(bench.deployment(server.endpoint))
    assert deltas == [Delta(text="a"), Delta(finish_reason="stop")]


async def test_leaves_a_stream_at_its_last_word(bench: Bench) -> None:
    async def lingering(exchange: Exchange) -> None:
        await streams(chunk("a", "stop"), b"[DONE]", end=b"1\r\n")(exchange)
        await exchange.hang()

    async with FakeOpenAI() as server:
        server.faults.append(lingering)
        assert await bench.ask(bench.deployment(server.endpoint))
        await server.until(lambda: server.aborted == 1)


async def test_the_connection_of_a_stream_that_ends_late_serves_on(bench: Bench) -> None:
    read = asyncio.Event()

    async def late(exchange: Exchange) -> None:
        await streams(chunk("a", "stop"), b"[DONE]", end=b"1\r\n")(exchange)
        await read.wait()
        await exchange.send(b"\n\r\n0\r\n\r\n")

    async with FakeOpenAI() as server:
        server.faults.append(late)
        deployment = bench.deployment(server.endpoint, max_connections=1)
        assert await bench.ask(deployment)
        read.set()
        assert await bench.ask(deployment)
        assert (server.connections, server.aborted) == (1, 0)


async def test_what_came_in_one_read_with_an_error_is_heard_before_it(bench: Bench) -> None:
    said = [chunk("a"), chunk("b"), {"error": {"message": "It broke."}}]
    events = b"".join(sse(json.dumps(each).encode()) for each in said)

    async def breaking(exchange: Exchange) -> None:
        await exchange.send(STREAM_HEAD + events)
        await exchange.hang()

    async with FakeOpenAI() as server:
        server.faults.append(breaking)
        deltas = bench.provider.stream(bench.deployment(server.endpoint), PROMPT, Params())
        assert (await anext(deltas)).text == "ab"
        with pytest.raises(UpstreamError, match="It broke"):
            await anext(deltas)


async def test_takes_a_stream_that_begins_and_ends_untidily(bench: Bench) -> None:
    events = f"\n\ndata: {json.dumps(chunk('a'))}\n\ndata: {json.dumps(chunk('b', 'stop'))}"
    async with FakeOpenAI() as server:
        server.faults.append(says(200, events, kind="text/plain"))
        deltas = await bench.ask(bench.deployment(server.endpoint))
    assert "".join(delta.text for delta in deltas) == "ab"


# Failures.


async def resets(exchange: Exchange) -> None:
    exchange.reset()


async def resets_in_mid_stream(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD + sse(json.dumps(chunk("a")).encode()))
    exchange.reset()


async def falls_silent(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD + sse(json.dumps(chunk("a")).encode()))
    await exchange.hang()


async def never_ends_an_event(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD)
    while True:
        await exchange.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


ECHO = {"detail": [{"loc": ["body"], "msg": "bad", "input": {"prompt": PROMPT.text}}]}
QUOTING = {"error": {"message": f"The key sk-hush cannot read {PROMPT.text}"}}


@pytest.mark.parametrize(
    ("fault", "failure", "words"),
    [
        pytest.param(resets, F.CLOSED, "without an answer", id="reset"),
        pytest.param(Exchange.hang, F.TIMEOUT, "first_token_timeout", id="hangs"),
        pytest.param(falls_silent, F.TIMEOUT, "between_tokens_timeout", id="falls silent"),
        pytest.param(resets_in_mid_stream, F.CLOSED, "middle", id="reset in mid-stream"),
        pytest.param(streams(chunk("a"), end=b""), F.CLOSED, "middle", id="closed in mid-stream"),
        pytest.param(streams(chunk("a")), F.CLOSED, "complete", id="ends in mid-stream"),
        pytest.param(streams(), F.CLOSED, "complete", id="empty stream"),
        pytest.param(streams(b'{"choices": ['), F.PROTOCOL, "right endpoint", id="half JSON"),
        pytest.param(streams(chunk("a"), b"oops"), F.PROTOCOL, "right endpoint", id="garbage"),
        pytest.param(streams(b'{"choices": ["\xff"]}'), F.PROTOCOL, "endpoint", id="not UTF-8"),
        pytest.param(streams(b'{"a":' * 100_000), F.PROTOCOL, "endpoint", id="deeply nested"),
        pytest.param(says(400, "[" * 100_000), F.BAD_REQUEST, "refused", id="deep refusal"),
        pytest.param(says(204, ""), F.PROTOCOL, "answered with nothing; is", id="204"),
        pytest.param(never_ends_an_event, F.PROTOCOL, "event", id="endless event"),
        pytest.param(says(200, "<html>"), F.PROTOCOL, "answered with HTML; is", id="HTML"),
        pytest.param(says(200, ""), F.PROTOCOL, "answered with nothing; is", id="nothing"),
        pytest.param(says(200, "{}"), F.CLOSED, "complete", id="no choices"),
        pytest.param(
            streams(chunk("a"), {"error": {"message": "out of memory", "code": 500}}),
            F.SERVER,
            "out of memory",
            id="error in mid-stream",
        ),
        pytest.param(
            says(401, {"error": {"message": "bad key sk-hush"}}),
            F.AUTHENTICATION,
            r'api_key.*"bad key \*\*\*"',
            id="401",
        ),
        pytest.param(says(403, ""), F.AUTHENTICATION, "api_key", id="403"),
        pytest.param(
            says(400, QUOTING), F.BAD_REQUEST, r"The key \*\*\* cannot read …", id="quote"
        ),
        pytest.param(says(422, ECHO), F.BAD_REQUEST, "body: bad", id="echo"),
        pytest.param(says(500, "x" * 5000), F.SERVER, "x{299}…", id="long words"),
        pytest.param(
            says(503, {"error": {"message": "Loading model", "code": 503}}),
            F.NOT_READY,
            "loading",
            id="loading",
        ),
        pytest.param(
            says(307, "", headers="location: https://far.example/v1?key=x\r\n"),
            F.PROTOCOL,
            r"redirects to https://far\.example/v1\.",
            id="redirect",
        ),
    ],
)
async def test_names_each_failure(
    bench: Bench, fault: Handler, failure: UpstreamFailure, words: str
) -> None:
    first_token = 0.2 if fault is Exchange.hang else 10
    bench.deadlines = Deadlines(first_token=first_token, between_tokens=0.2)
    async with FakeOpenAI() as server:
        server.faults.append(fault)
        with pytest.raises(UpstreamError, match=words) as caught:
            raise await bench.fail(bench.deployment(server.endpoint))
        assert caught.value.failure is failure
        assert f"127.0.0.1:{server.port}" in caught.value.message
        await server.until(lambda: len(server.peers) <= 1)
        bench.deadlines = Deadlines()
        assert await bench.ask(bench.deployment(server.endpoint))


async def test_says_how_long_to_wait(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        server.faults.append(says(429, "", headers="retry-after-ms: 1500\r\n"))
        error = await bench.fail(bench.deployment(server.endpoint))
    assert (error.failure, error.retry_after, error.status) == (F.RATE_LIMITED, 1.5, 429)


async def test_says_that_nobody_listens(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        deployment = bench.deployment(server.endpoint)
    error = await bench.fail(deployment)
    assert error.failure is F.UNREACHABLE
    with pytest.raises(UpstreamError) as caught:
        await bench.provider.count_tokens(deployment, "text")
    assert caught.value.deployment == "codestral here"
    with pytest.raises(UpstreamError) as caught:
        await bench.provider.served(deployment)
    assert caught.value.deployment == "codestral here"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": "far.example/v1"}, "endpoint"),
        ({"endpoint": "http://user:sk-hush@far.example/v1"}, "endpoint"),
        ({"options": {"window": 0}}, "options.window"),
        ({"options": {"windows": 1}}, "options.windows"),
        ({"options": {"headers": {"a b": "sk-hush"}}}, "options.headers"),
        ({"options": {"headers": {"a": "sk-hush\n"}}}, "options.headers"),
        ({"options": {"headers": {"a": 7}}}, "options.headers[...]"),
        ({"options": {"proxy": "socks5://u:sk-hush@p"}}, "options.proxy"),
        ({"options": {"max_connections": 0}}, "options.max_connections"),
        ({"options": {"ca_file": "/nowhere.pem"}}, "options.ca_file"),
        ({"options": {"client_key_file": __file__}}, "options.client_key_file"),
        ({"api_key": Secret("sk-hush\n")}, "api_key"),
        ({"api_key": Secret("sk-hush€")}, "api_key"),
    ],
    ids=str,
)
async def test_checks_a_deployment(bench: Bench, change: dict[str, Any], param: str) -> None:
    deployment = msgspec.structs.replace(bench.deployment("http://far.example/v1"), **change)
    with pytest.raises(ConfigError, match="codestral here") as caught:
        bench.provider.check(deployment)
    assert caught.value.param == param
    assert "sk-hush" not in caught.value.message


async def test_finds_nothing_wrong_with_a_good_deployment(bench: Bench) -> None:
    options = {"window": 4096, "headers": {"X-Team": "a"}, "proxy": ""}
    bench.provider.check(bench.deployment("https://far.example/v1", **options))


# Hang-ups.


@pytest.mark.parametrize("after", [0, 1])
async def test_closing_the_stream_hangs_up(bench: Bench, after: int) -> None:
    async with FakeOpenAI() as server:
        reached = asyncio.Event()

        async def held(exchange: Exchange) -> None:
            await exchange.send(STREAM_HEAD, *[sse(json.dumps(chunk("a")).encode())] * after)
            reached.set()
            await exchange.hang()

        server.faults.append(held)
        deltas = bench.provider.stream(bench.deployment(server.endpoint), PROMPT, Params())
        for _ in range(after):
            await anext(deltas)
        waiting = asyncio.ensure_future(anext(deltas))
        await reached.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await server.until(lambda: server.aborted == 1)


async def test_closing_the_provider_ends_what_runs(bench: Bench) -> None:
    async with FakeOpenAI() as server:
        server.faults.append(Exchange.hang)
        asking = asyncio.ensure_future(bench.ask(bench.deployment(server.endpoint)))
        await server.until(lambda: len(server.requests) == 1)
        await bench.provider.aclose()
        with pytest.raises(UpstreamError):
            await asking
        await server.until(lambda: server.aborted == 1)
