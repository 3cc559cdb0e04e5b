"""What a feature asks of deployments, and what becomes of their answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from inhouse.config import load_entries
from inhouse.core.catalog import Role, Route
from inhouse.core.delta import Answer
from inhouse.core.feature import Feature
from inhouse.core.prompt import Messages, Text
from inhouse.core.requests import (
    Caller,
    ChatRequest,
    CompletionRequest,
    GenerationRequest,
    Message,
    Params,
)
from inhouse.core.trace import Outcome, Trace
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.features.joined import joined
from inhouse.gateway import Gateway
from inhouse.providers.scripted import Call, Scripted
from inhouse.routing.target import resolve
from inhouse.store import Registry
from tests.server.serving import configuration, route, scripted

Request = CompletionRequest | GenerationRequest | ChatRequest
ADA = Caller("ada", Role.DEVELOPER)
HOLE = CompletionRequest(prefix="x = ", suffix="\n")


class Bench:
    """A gateway over scripts, asked through its features."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def ask(self, request: Request, model: str) -> Answer:
        gateway = self.gateway
        with gateway.records.recording(request_id="", endpoint="test") as recording:
            target = resolve(gateway.catalog, model, ADA, Feature.COMPLETION)
            match request:
                case CompletionRequest():
                    return await joined(gateway.completion.stream(request, target, recording))
                case GenerationRequest():
                    return await joined(gateway.generation.stream(request, target, recording))
                case ChatRequest():
                    return await joined(gateway.chat.stream(request, target, recording))

    async def text(self, request: Request, model: str) -> str:
        return (await self.ask(request, model)).choices[0].text

    @property
    def calls(self) -> list[Call]:
        provider = self.gateway.providers["scripted"]
        assert isinstance(provider, Scripted)
        return list(provider.calls)

    async def trace(self) -> Trace:
        await self.gateway.records.flush()
        return self.gateway.registry.traces.list_traces(1)[0]


@contextlib.asynccontextmanager
async def bench(folder: Path, *declared: str) -> AsyncGenerator[Bench]:
    async with Gateway.open(configuration(folder, "\n".join(declared))) as gateway:
        yield Bench(gateway)


def fim(name: str, **options: object) -> str:
    return scripted(name, family="codestral", **options)


@pytest.mark.parametrize("error", ["unreachable", "timeout", "server", "rate_limited", "closed"])
async def test_the_next_deployment_answers_when_one_fails(tmp_path: Path, error: str) -> None:
    down, up = fim("down", error=error), fim("up", tokens=["1"])
    async with bench(tmp_path, down, up, route("completion", "down", "up")) as here:
        assert await here.text(HOLE, "completion") == "1"
        trace = await here.trace()
    assert (trace.deployments, trace.outcome) == (("down", "up"), Outcome.OK)


@pytest.mark.parametrize(
    "broken",
    [
        scripted("broken", family="codestral", error="authentication"),
        scripted("broken", family="codestral", error="unknown_model"),
        '[[deployments]]\nname = "broken"\nfamily = "codestral"\nidentifier = "gone/x"\n',
    ],
)
async def test_an_administrator_s_mistake_is_no_fault_of_the_caller(
    tmp_path: Path, broken: str
) -> None:
    config = configuration(tmp_path, fim("up", tokens=["1"]))
    registry = Registry.open(config.store.url, secret=None, key_file=config.key_file)
    declared = load_entries(written(tmp_path / "extra.toml", broken), {})
    registry.apply(declared, author="test", as_declared=False)
    registry.close()
    async with Gateway.open(config) as gateway:
        here = Bench(gateway)
        route = Route(feature=Feature.COMPLETION, deployments=("broken", "up"))
        gateway.registry.set_route(route, author="test")
        await gateway.refresh()
        assert await here.text(HOLE, "completion") == "1"
        with pytest.raises(UpstreamError):
            await here.ask(HOLE, "broken")
        assert (await here.trace()).outcome is Outcome.FAILED


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


async def test_a_caller_error_is_not_tried_elsewhere(tmp_path: Path) -> None:
    bad, up = fim("bad", error="bad_request"), fim("up")
    async with bench(tmp_path, bad, up, route("completion", "bad", "up")) as here:
        with pytest.raises(UpstreamError) as caught:
            await here.ask(HOLE, "completion")
        assert caught.value.failure is UpstreamFailure.BAD_REQUEST
        assert len(here.calls) == 1


async def test_nothing_is_asked_again_behind_the_first_delta(tmp_path: Path) -> None:
    breaks = fim("breaks", tokens=["a", "b"], error="closed", error_after=1)
    async with bench(tmp_path, breaks, fim("up"), route("completion", "breaks", "up")) as here:
        with pytest.raises(UpstreamError, match="script"):
            await here.ask(HOLE, "completion")
        assert [call.deployment.name for call in here.calls] == ["breaks"]
        assert (await here.trace()).error == "closed"


async def test_the_last_error_is_told_when_all_fail(tmp_path: Path) -> None:
    one, two = fim("one", error="tls"), fim("two", error="timeout")
    async with bench(tmp_path, one, two, route("completion", "one", "two")) as here:
        with pytest.raises(UpstreamError) as caught:
            await here.ask(HOLE, "completion")
    assert (caught.value.failure, caught.value.deployment) == (UpstreamFailure.TIMEOUT, "two")


@pytest.mark.parametrize("tokenizer", [True, False])
@pytest.mark.parametrize("line", ["a b c d e f g h\n", "identifier_of_some_length = 1\n", "x\n"])
async def test_the_prompt_fits_the_window_that_the_upstream_tells(
    tmp_path: Path, line: str, *, tokenizer: bool
) -> None:
    small = fim("small", window=300, tokenizer=True, tokens=["1"])
    untold = fim("untold", window=300, tokenizer=tokenizer, tokens=["1"])
    request = CompletionRequest(prefix=line * 900, suffix=line * 900)
    async with bench(tmp_path, small, untold) as here:
        await here.ask(request, "small")
        await here.ask(request, "untold")
        exact, estimated = here.calls
    assert exact.params.max_tokens is not None
    assert words(exact) + exact.params.max_tokens <= 300
    # The nearest code is there, and the room is used.
    assert isinstance(exact.prompt, Text)
    assert exact.prompt.text.endswith(line)
    assert words(exact) > 40
    assert words(estimated) > 0


def words(call: Call) -> int:
    """Count as the script's tokenizer does."""
    assert isinstance(call.prompt, Text)
    return len(call.prompt.text.split())


async def test_an_upstream_that_says_too_long_is_asked_with_less(tmp_path: Path) -> None:
    strict = fim("strict", error="context_length", tokenizer=False)
    request = CompletionRequest(prefix="some = code\n" * 2000)
    async with bench(tmp_path, strict) as here:
        with pytest.raises(UpstreamError):
            await here.ask(request, "strict")
        sizes = [words(call) for call in here.calls]
    assert len(sizes) == 3
    assert sizes[0] > 1.8 * sizes[1] > 3 * sizes[2]


async def test_a_deployment_option_lowers_the_window_and_never_raises_it(tmp_path: Path) -> None:
    async with bench(tmp_path, fim("here", window=400, tokens=["1"])) as here:
        await here.ask(CompletionRequest(prefix="a b c d\n" * 900), "here")
        (call,) = here.calls
    assert words(call) <= 400


async def test_a_suggestion_that_repeats_the_suffix_stops_the_upstream(tmp_path: Path) -> None:
    runs_on = fim("runs-on", tokens=["b", " = 2\n", "return a\n", *["more\n"] * 50])
    request = CompletionRequest(prefix="a = 1\n", suffix="\nreturn a\n")
    async with bench(tmp_path, runs_on) as here:
        answer = await here.ask(request, "runs-on")
        (call,) = here.calls
        trace = await here.trace()
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("b = 2", "stop")
    # The upstream was left before it could tell, so the tokens are estimated.
    assert answer.usage is not None
    assert trace.finish_reason == "stop"
    assert answer.usage.completion_tokens == trace.completion_tokens == 3
    assert 0 < answer.usage.prompt_tokens == trace.prompt_tokens < 30
    assert call.aborted
    assert call.deltas == 3


async def test_special_tokens_in_code_reach_no_model_and_come_back(tmp_path: Path) -> None:
    request = CompletionRequest(prefix='token = "[SUFFIX]" + ', params=Params(max_tokens=500))
    async with bench(tmp_path, fim("echoes", echo=True)) as here:
        text = await here.text(request, "echoes")
        (call,) = here.calls
    assert isinstance(call.prompt, Text)
    assert call.prompt.text.count("[SUFFIX]") == 1
    assert '"[SUFFIX]"' in text


async def test_a_generation_is_code_only(tmp_path: Path) -> None:
    talks = scripted("talks", tokens=["Here", " you are:\n", "```python\n", "x = 1", "\n```\nBye."])
    request = GenerationRequest(instruction="set x to one")
    async with bench(tmp_path, talks, route("generation", "talks")) as here:
        assert await here.text(request, "generation") == "x = 1"
        (call,) = here.calls
    assert isinstance(call.prompt, Messages)
    assert "set x to one" in str(call.prompt.messages)


async def test_a_chat_passes_untouched(tmp_path: Path) -> None:
    messages = (
        Message(role="system", content="Be [SUFFIX] brief."),
        Message(role="user", content=[{"type": "text", "text": "hello"}]),
    )
    async with bench(tmp_path, scripted("chats"), route("chat", "chats")) as here:
        params = Params(temperature=0.5, extra={"tools": []})
        await here.ask(ChatRequest(messages=messages, params=params), "chat")
        (call,) = here.calls
    assert call.prompt == Messages(messages)
    assert (call.params.temperature, call.params.max_tokens) == (0.5, None)
    assert call.params.extra == {"tools": []}


async def test_several_choices_are_shaped_each_for_itself(tmp_path: Path) -> None:
    async with bench(tmp_path, fim("two", tokens=["a", ")"])) as here:
        request = CompletionRequest(prefix="f(", suffix=")\n", params=Params(n=2))
        answer = await here.ask(request, "two")
    assert [choice.text for choice in answer.choices] == ["a", "a"]
