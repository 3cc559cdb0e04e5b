"""Talking to upstreams of Anthropic's dialect: addresses, keys, habits, failures, hang-ups."""

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
from inhouse.core.delta import Delta, Usage
from inhouse.core.ports import ProviderContext
from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import Message, Params
from inhouse.core.secret import Secret
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.features.joined import joined
from inhouse.providers.anthropic import Anthropic, heal
from inhouse.providers.several import AT_ONCE
from tests.fakes.anthropic import MODEL, STREAM_HEAD, FakeAnthropic, refuse, reply, sse
from tests.fakes.http import Exchange, Handler

SECRET = "def transfer(amount, iban, account_of_the_customer):"
PROMPT = Messages((Message(role="user", content=SECRET),))
F = UpstreamFailure


class Bench:
    """A provider, and the means to ask it."""

    def __init__(self, cache: Path) -> None:
        self.deadlines = Deadlines()
        self.provider = Anthropic(ProviderContext(cache=cache, proxies={}))

    def deployment(self, endpoint: str, **options: Any) -> Deployment:
        return Deployment(
            name="claude here",
            family="claude",
            identifier=f"anthropic/{MODEL}",
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

    async def fail(
        self, deployment: Deployment, prompt: Prompt = PROMPT, params: Params | None = None
    ) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await self.ask(deployment, prompt, params)
        error = caught.value
        assert error.deployment == "claude here"
        assert "sk-hush" not in error.message
        assert "account_of_the_customer" not in error.message
        return error


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.provider.aclose()


def text(deltas: list[Delta], index: int = 0) -> str:
    return "".join(delta.text for delta in deltas if delta.index == index)


def refuses(status: int, kind: str, said: str, headers: str = "") -> Handler:
    return lambda exchange: refuse(exchange, status, kind, said, headers)


def says(status: int, raw: str, headers: str = "", kind: str = "application/json") -> Handler:
    async def handler(exchange: Exchange) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{headers}"
        await exchange.send(f"{head}content-length: {len(raw)}\r\n\r\n{raw}".encode())

    return handler


START = {"type": "message_start", "message": {"usage": {"input_tokens": 1}}}
PIECE = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": "a"},
}
ENDED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}


def streams(*events: dict[str, Any] | bytes, end: bytes = b"0\r\n\r\n") -> Handler:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(STREAM_HEAD)
        for event in events:
            raw = b"data: " + event + b"\n\n" if isinstance(event, bytes) else b""
            chunk = b"%x\r\n%b\r\n" % (len(raw), raw) if isinstance(event, bytes) else sse(event)
            await exchange.send(chunk)
        await exchange.send(end)
        if not end:
            exchange.close()

    return handler


# What goes over the wire.


async def test_asks_as_the_dialect_wants_it(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        deployment = bench.deployment(server.url, headers={"X-Team": "billing"})
        deltas = await bench.ask(deployment, params=Params(max_tokens=2, request_id="req-1"))
    assert text(deltas) == " w0 w1"
    assert deltas[-2:] == [
        Delta(finish_reason="length"),
        Delta(usage=Usage(prompt_tokens=4, completion_tokens=2, cached_tokens=3)),
    ]
    (request,) = server.requests
    assert request.target == "/v1/messages"
    assert request.headers["x-api-key"] == "sk-hush"
    assert "authorization" not in request.headers
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["x-request-id"] == "req-1"
    assert request.headers["x-team"] == "billing"
    assert request.json["stream"] is True


async def test_gateways_want_a_bearer(bench: Bench) -> None:
    async with FakeAnthropic(bearer=True) as server:
        assert await bench.ask(bench.deployment(server.url, bearer=True))
        assert "x-api-key" not in server.requests[-1].headers
        error = await bench.fail(bench.deployment(server.url))
    assert error.failure is F.AUTHENTICATION
    assert "bearer=true" in error.message


async def test_another_version_of_the_api_is_a_header(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        later = {"Anthropic-Version": "2026-10-21"}
        deployment = bench.deployment(server.url, headers=later)
        warm = Params(max_tokens=2, temperature=0.5)
        for _ in range(2):
            assert text(await bench.ask(deployment, params=warm)) == " w0 w1"
    assert ["temperature" in each for each in server.asked()] == [True, False, False]
    assert {each.headers["anthropic-version"] for each in server.requests} == {"2026-10-21"}


async def test_whole_answers_are_asked_for_as_streams_too(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        params = Params(max_tokens=2, whole=True)
        assert text(await bench.ask(bench.deployment(server.url), params=params)) == " w0 w1"
    assert server.asked()[0]["stream"] is True


@pytest.mark.parametrize("prompt", [Text("a"), Fim(prefix="a")])
async def test_takes_messages_only(bench: Bench, prompt: Prompt) -> None:
    deployment = bench.deployment("http://127.0.0.1:1")
    assert not bench.provider.takes_text(deployment)
    error = await bench.fail(deployment, prompt)
    assert error.failure is F.MESSAGES_ONLY


async def test_says_what_the_dialect_has_no_words_for(bench: Bench) -> None:
    prompt = Messages((Message(role="user", content=[{"type": "input_audio"}]),))
    async with FakeAnthropic() as server:
        error = await bench.fail(bench.deployment(server.url), prompt)
        assert not server.requests
    assert (error.failure, error.param) == (F.BAD_REQUEST, "messages.0.content.0")
    assert "input_audio" in error.message


async def test_thinks_and_calls_tools(bench: Bench) -> None:
    function: dict[str, Any] = {
        "name": "read",
        "parameters": {"type": "object", "properties": {"path": {}}},
    }
    extra: dict[str, Any] = {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    async with FakeAnthropic() as server:
        params = Params(max_tokens=2000, temperature=0.0, extra=extra)
        answer = await joined(bench.provider.stream(bench.deployment(server.url), PROMPT, params))
    (choice,) = answer.choices
    assert (choice.reasoning, choice.finish_reason) == ("Let me think.", "tool_calls")
    (call,) = choice.tool_calls
    assert call["id"] == "toolu_1"
    assert json.loads(call["function"]["arguments"]) == {"path": "a.py"}


@pytest.mark.parametrize(
    ("words", "stop", "said"),
    [
        (["a", " b\n", "c"], ("\n",), "a b"),
        (["a\n", "\nb"], ("\n\n",), "a"),
        (["a\n", "b\n"], ("\n\n",), "a\nb\n"),
        (["a\n", "END b"], ("\n\n", "END"), "a\n"),
    ],
)
async def test_blank_stop_sequences_are_kept_all_the_same(
    bench: Bench, words: list[str], stop: tuple[str, ...], said: str
) -> None:
    async with FakeAnthropic() as server:
        server.words = words
        params = Params(max_tokens=9, stop=stop)
        deltas = await bench.ask(bench.deployment(server.url), params=params)
    assert text(deltas) == said
    assert [each.finish_reason for each in deltas if each.finish_reason] == ["stop"]


# Several choices.


async def test_asks_for_each_choice_by_itself(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        params = Params(max_tokens=3, n=9)
        deltas = await bench.ask(bench.deployment(server.url), params=params)
        assert len(server.asked()) == 9
    assert {index: text(deltas, index) for index in range(9)} == dict.fromkeys(
        range(9), " w0 w1 w2"
    )
    assert deltas[-1].usage == Usage(prompt_tokens=36, completion_tokens=27, cached_tokens=27)
    assert sum(each.usage is not None for each in deltas) == 1


async def test_the_first_failure_ends_every_choice(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        server.faults.extend([refuses(429, "rate_limit_error", "Slow."), *[Exchange.hang] * 3])
        params = Params(max_tokens=3, n=4)
        error = await bench.fail(bench.deployment(server.url), params=params)
        assert error.failure is F.RATE_LIMITED
        await server.until(lambda: not server.peers or server.aborted == 3)


async def test_hanging_up_reaches_every_choice(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        server.faults.extend([Exchange.hang] * AT_ONCE)
        params = Params(max_tokens=3, n=9)
        asking = asyncio.ensure_future(bench.ask(bench.deployment(server.url), params=params))
        await server.until(lambda: len(server.requests) == AT_ONCE)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await server.until(lambda: server.aborted == AT_ONCE)
        assert len(server.requests) == AT_ONCE


# Addresses.


@pytest.mark.parametrize(
    ("endpoint", "root", "remarked"),
    [
        ("", "https://api.anthropic.com", False),
        ("http://h:1", "http://h:1", False),
        ("http://h:1/", "http://h:1", False),
        ("http://h:1/v1", "http://h:1", False),
        ("http://h:1/v1/", "http://h:1", False),
        (" http://h:1/gw ", "http://h:1/gw", False),
        ("http://h:1/v1/v1", "http://h:1", True),
        ("http://h:1/v1/messages", "http://h:1", True),
        ("http://h:1/gw/v1/messages/count_tokens?x=y", "http://h:1/gw", True),
        ("http://h:1//gw//v1", "http://h:1/gw", True),
        ("HTTP://h:1", "http://h:1", True),
        ("nonsense", "nonsense", False),
    ],
)
def test_heals_addresses(endpoint: str, root: str, *, remarked: bool) -> None:
    healed, remark = heal(endpoint)
    assert healed == root
    assert (remark is not None) == remarked


@given(st.text(max_size=60))
def test_healing_twice_changes_nothing(endpoint: str) -> None:
    healed, _ = heal(f"http://{endpoint}")
    assert heal(healed) == (healed, None)


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/v1", ""),
        ("/v1", "/v1"),
        ("/v1", "/v1/messages"),
        ("/gw/v1", "/gw"),
        ("/gw", "/gw"),
        ("/gw", "/gw/v1"),
        ("", ""),
    ],
)
async def test_finds_the_routes(bench: Bench, prefix: str, path: str) -> None:
    async with FakeAnthropic(prefix=prefix) as server:
        deployment = bench.deployment(server.url + path)
        for _ in range(3):
            assert await bench.ask(deployment)
        assert len(server.requests) <= 4  # looked for once
        assert bool(bench.provider.remarks(deployment)) == path.endswith("messages")
        (served,) = await bench.provider.served(deployment)
        assert (served.name, served.window) == (MODEL, 2048)


async def test_says_that_there_is_no_such_route_and_looks_only_once(bench: Bench) -> None:
    async with FakeAnthropic(prefix="/elsewhere") as server:
        deployment = bench.deployment(server.url)
        for requests in (2, 3):
            error = await bench.fail(deployment)
            assert error.failure is F.PROTOCOL
            assert "Check the path of the endpoint" in error.message
            assert len(server.requests) == requests


async def test_a_version_of_the_api_that_there_is_not(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        wrong = {"anthropic-version": "2020-01-01"}
        error = await bench.fail(bench.deployment(server.url, headers=wrong))
    assert (error.failure, error.param) == (F.MISCONFIGURED, "options.headers")
    assert "Correct anthropic-version there, or leave it out" in error.message


async def test_an_unknown_model_is_no_wrong_address(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        deployment = msgspec.structs.replace(
            bench.deployment(server.url), identifier=f"anthropic/{MODEL}1"
        )
        error = await bench.fail(deployment)
        assert (error.failure, error.param) == (F.UNKNOWN_MODEL, "identifier")
        assert f"did you mean '{MODEL}'?" in error.message


# Habits.


@pytest.mark.parametrize(
    ("refuses", "kept"),
    [
        ({"temperature"}, {"top_p"}),
        ({"top_p"}, {"temperature"}),
        ({"both"}, {"temperature"}),
        ({"temperature", "top_p"}, set[str]()),
    ],
)
async def test_learns_which_sampling_fields_a_model_takes(
    bench: Bench, refuses: set[str], kept: set[str]
) -> None:
    async with FakeAnthropic() as server:
        server.refuses = refuses
        params = Params(max_tokens=2, temperature=0.0, top_p=0.5)
        for _ in range(2):
            assert await bench.ask(bench.deployment(server.url), params=params)
        asked = server.asked()
    assert {"temperature", "top_p"} & asked[-1].keys() == kept
    assert {"temperature", "top_p"} & asked[-2].keys() == kept


async def test_tells_what_it_has_learned(bench: Bench) -> None:
    async with FakeAnthropic(most_tokens=40) as server:
        deployment = bench.deployment(server.url)
        assert bench.provider.habits(deployment) == []
        server.refuses = {"both"}
        await bench.ask(deployment, params=Params(max_tokens=100, temperature=0.0, top_p=0.5))
        assert bench.provider.habits(deployment) == [
            "It takes temperature or top_p, not both: inhouse leaves top_p out.",
            "It gives at most 40 tokens: inhouse asks for no more.",
        ]


async def test_requests_at_the_same_time_learn_one_thing(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        server.refuses = {"both"}
        deployment = bench.deployment(server.url)
        params = Params(max_tokens=2, temperature=0.0, top_p=0.5)
        asking = (bench.ask(deployment, params=params) for _ in range(5))
        assert all(await asyncio.gather(*asking))
        # What the others are told as well is not held against the temperature.
        assert "temperature" in server.asked()[-1]
    assert len(bench.provider.habits(deployment)) == 1


async def test_learns_that_a_model_knows_no_effort(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        server.refuses = {"effort"}
        params = Params(max_tokens=2, extra={"reasoning_effort": "low"})
        assert await bench.ask(bench.deployment(server.url), params=params)


async def test_learns_the_longest_answer_of_a_model(bench: Bench) -> None:
    async with FakeAnthropic(most_tokens=40) as server:
        for _ in range(2):
            assert await bench.ask(bench.deployment(server.url), params=Params(max_tokens=100))
    assert [each["max_tokens"] for each in server.asked()] == [100, 40, 40]


async def test_an_answer_without_a_limit_fits_a_small_window(bench: Bench) -> None:
    said = "input length and `max_tokens` exceed context limit: 9 + 8192 > 2048"
    async with FakeAnthropic() as server:
        deployment = bench.deployment(server.url)
        server.faults.append(refuses(400, "invalid_request_error", said))
        assert await bench.ask(deployment, params=Params())
        server.faults.append(refuses(400, "invalid_request_error", said))
        error = await bench.fail(deployment, params=Params())
    assert error.failure is F.CONTEXT_LENGTH
    assert [each["max_tokens"] for each in server.asked()] == [8192, 512, 512]


async def test_a_small_window_that_nobody_tells_stays_an_error(bench: Bench) -> None:
    async with FakeAnthropic(window=3) as server:
        server.tells_window = False
        error = await bench.fail(bench.deployment(server.url), params=Params())
    assert error.failure is F.CONTEXT_LENGTH


async def test_counts_tokens_where_the_upstream_does(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        deployment = bench.deployment(server.url)
        assert await bench.provider.count_tokens(deployment, "a b c") == 3
        assert await bench.provider.count_tokens(deployment, " ") == 0
        assert len(server.requests) == 1


async def test_stops_asking_for_tokens_where_nobody_counts(bench: Bench) -> None:
    async with FakeAnthropic(counts=False) as server:
        deployment = bench.deployment(server.url)
        assert await bench.ask(deployment)
        for _ in range(3):
            assert await bench.provider.count_tokens(deployment, "text") is None
        assert len(server.requests) == 2


# Failures.


async def resets(exchange: Exchange) -> None:
    exchange.reset()


async def resets_in_mid_stream(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD + sse(PIECE))
    exchange.reset()


async def falls_silent(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD + sse(START) + sse(PIECE))
    await exchange.hang()


async def never_ends_an_event(exchange: Exchange) -> None:
    await exchange.send(STREAM_HEAD)
    while True:
        await exchange.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
INVALID = "invalid_request_error"


@pytest.mark.parametrize(
    ("fault", "failure", "words"),
    [
        pytest.param(resets, F.CLOSED, "without an answer", id="reset"),
        pytest.param(Exchange.hang, F.TIMEOUT, "first_token_timeout", id="hangs"),
        pytest.param(falls_silent, F.TIMEOUT, "between_tokens_timeout", id="falls silent"),
        pytest.param(resets_in_mid_stream, F.CLOSED, "middle", id="reset in mid-stream"),
        pytest.param(streams(PIECE, end=b""), F.CLOSED, "middle", id="closed in mid-stream"),
        pytest.param(streams(START, PIECE), F.CLOSED, "complete", id="ends in mid-stream"),
        pytest.param(streams(), F.CLOSED, "complete", id="empty stream"),
        pytest.param(streams(b'{"type": '), F.PROTOCOL, "right endpoint", id="half JSON"),
        pytest.param(streams(PIECE, b"oops"), F.PROTOCOL, "right endpoint", id="garbage"),
        pytest.param(streams(b'{"choices": []}'), F.PROTOCOL, "Anthropic's", id="OpenAI's"),
        pytest.param(never_ends_an_event, F.PROTOCOL, "event", id="endless event"),
        pytest.param(says(200, "<html>"), F.PROTOCOL, "answered with HTML; is", id="HTML"),
        pytest.param(says(200, ""), F.PROTOCOL, "answered with nothing; is", id="nothing"),
        pytest.param(says(204, ""), F.PROTOCOL, "answered with nothing; is", id="204"),
        pytest.param(
            streams(START, PIECE, OVERLOADED), F.SERVER, "overloaded.*529", id="overloaded inside"
        ),
        pytest.param(refuses(529, "overloaded_error", "Overloaded"), F.SERVER, "route", id="529"),
        pytest.param(
            refuses(401, "authentication_error", "invalid x-api-key sk-hush"),
            F.AUTHENTICATION,
            r'api_key.*"invalid x-api-key \*\*\*"',
            id="401",
        ),
        pytest.param(
            refuses(403, "permission_error", "No."),
            F.AUTHENTICATION,
            "rights of.*api_key",
            id="403",
        ),
        pytest.param(
            refuses(400, INVALID, "Your credit balance is too low"),
            F.MISCONFIGURED,
            "credit of the api_key's account",
            id="no credit",
        ),
        pytest.param(
            refuses(400, INVALID, f"messages: {SECRET} is odd"),
            F.BAD_REQUEST,
            "messages: …",
            id="quote",
        ),
        pytest.param(refuses(413, "request_too_large", "!"), F.CONTEXT_LENGTH, "long", id="413"),
        pytest.param(refuses(500, "api_error", "x" * 5000), F.SERVER, "x{299}…", id="long words"),
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
    bench.deadlines = Deadlines(first_token=0.2, between_tokens=0.2)
    async with FakeAnthropic() as server:
        server.faults.append(fault)
        with pytest.raises(UpstreamError, match=words) as caught:
            raise await bench.fail(bench.deployment(server.url))
        assert caught.value.failure is failure
        assert f"127.0.0.1:{server.port}" in caught.value.message
        assert await bench.ask(bench.deployment(server.url))


async def test_says_how_long_to_wait(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        server.faults.append(refuses(429, "rate_limit_error", "Slow.", "retry-after: 7\r\n"))
        error = await bench.fail(bench.deployment(server.url))
    assert (error.failure, error.retry_after, error.status) == (F.RATE_LIMITED, 7.0, 429)


async def test_names_the_field(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        server.faults.append(refuses(400, INVALID, "tools.0.name: too long"))
        error = await bench.fail(bench.deployment(server.url))
    assert (error.failure, error.param) == (F.BAD_REQUEST, "tools.0.name")


@pytest.mark.parametrize("last", [{"type": "message_stop"}, ENDED])
async def test_takes_a_stream_with_either_last_word(bench: Bench, last: dict[str, Any]) -> None:
    async with FakeAnthropic() as server:
        server.faults.append(streams(PIECE, last))
        assert text(await bench.ask(bench.deployment(server.url))) == "a"


async def test_takes_a_whole_answer(bench: Bench) -> None:
    block = {"type": "text", "text": "hi"}
    usage = {"input_tokens": 2, "output_tokens": 1}
    whole = {"type": "message", "content": [block], "stop_reason": "end_turn", "usage": usage}
    async with FakeAnthropic() as server:
        server.faults.append(lambda exchange: reply(exchange, whole))
        assert await bench.ask(bench.deployment(server.url)) == [
            Delta(
                text="hi",
                finish_reason="stop",
                usage=Usage(prompt_tokens=2, completion_tokens=1),
                pieces=2,
            ),
        ]


async def test_says_that_nobody_listens(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        deployment = bench.deployment(server.url)
    assert (await bench.fail(deployment)).failure is F.UNREACHABLE
    for asking in (
        bench.provider.count_tokens(deployment, "text"),
        bench.provider.served(deployment),
    ):
        with pytest.raises(UpstreamError) as caught:
            await asking
        assert caught.value.deployment == "claude here"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "far.example"}, "endpoint"),
        ({"endpoint": "", "api_key": Secret()}, "api_key"),
        ({"endpoint": "https://api.anthropic.com/v1", "api_key": Secret()}, "api_key"),
        ({"api_key": Secret("sk-hush\n")}, "api_key"),
        ({"options": {"bearer": "yes"}}, "options.bearer"),
        ({"options": {"whole_answers": True}}, "options.whole_answers"),
        ({"options": {"window": 0}}, "options.window"),
        ({"options": {"ca_file": "/nowhere.pem"}}, "options.ca_file"),
    ],
    ids=str,
)
async def test_checks_a_deployment(bench: Bench, change: dict[str, Any], param: str) -> None:
    deployment = msgspec.structs.replace(bench.deployment("http://far.example"), **change)
    with pytest.raises(ConfigError, match="claude here") as caught:
        bench.provider.check(deployment)
    assert caught.value.param == param
    assert "sk-hush" not in caught.value.message


async def test_knows_where_it_connects_to(bench: Bench) -> None:
    bench.provider.check(bench.deployment(""))
    assert bench.provider.endpoints(bench.deployment("")) == {("api.anthropic.com", 443)}
    assert bench.provider.endpoints(bench.deployment("nonsense")) == frozenset()


# Hang-ups.


@pytest.mark.parametrize("after", [0, 1])
async def test_closing_the_stream_hangs_up(bench: Bench, after: int) -> None:
    async with FakeAnthropic() as server:
        reached = asyncio.Event()

        async def held(exchange: Exchange) -> None:
            await exchange.send(STREAM_HEAD, *[sse(PIECE)] * after)
            reached.set()
            await exchange.hang()

        server.faults.append(held)
        deltas = bench.provider.stream(bench.deployment(server.url), PROMPT, Params())
        for _ in range(after):
            await anext(deltas)
        waiting = asyncio.ensure_future(anext(deltas))
        await reached.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await server.until(lambda: server.aborted == 1)


async def test_closing_the_provider_ends_what_runs(bench: Bench) -> None:
    async with FakeAnthropic() as server:
        server.faults.append(Exchange.hang)
        asking = asyncio.ensure_future(bench.ask(bench.deployment(server.url)))
        await server.until(lambda: len(server.requests) == 1)
        await bench.provider.aclose()
        with pytest.raises(UpstreamError):
            await asking
        await server.until(lambda: server.aborted == 1)
