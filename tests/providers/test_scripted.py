"""The scripted provider plays what it is told, and remembers what it was asked."""

import asyncio
from typing import Any

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Usage
from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import Message, Params
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.providers.scripted import Scripted

PROMPT = Text("say this")


def deployment(**options: Any) -> Deployment:
    return Deployment(name="fake", family="general", identifier="scripted/fake", options=options)


async def ask(
    provider: Scripted, played: Deployment, prompt: Prompt = PROMPT, params: Params | None = None
) -> list[Delta]:
    return [delta async for delta in provider.stream(played, prompt, params or Params())]


async def test_says_its_tokens() -> None:
    deltas = await ask(Scripted(), deployment(tokens=["a", " b"], finish_reason="length"))
    assert deltas == [
        Delta(text="a"),
        Delta(text=" b"),
        Delta(finish_reason="length"),
        Delta(usage=Usage(prompt_tokens=2, completion_tokens=2)),
    ]


@pytest.mark.parametrize(
    "prompt",
    [
        Text("say this"),
        Fim(prefix="say", suffix=" this"),
        Messages((Message(role="user", content="say this"),)),
    ],
)
async def test_echoes(prompt: Prompt) -> None:
    deltas = await ask(Scripted(), deployment(echo=True), prompt)
    assert [delta.text for delta in deltas] == ["say", " this", "", ""]


async def test_says_no_more_than_is_wanted_for_each_choice() -> None:
    params = Params(max_tokens=1, n=2)
    deltas = await ask(Scripted(), deployment(tokens=["a", "b"], tell_usage=False), PROMPT, params)
    assert deltas == [
        Delta(text="a"),
        Delta(finish_reason="stop"),
        Delta(text="a", index=1),
        Delta(finish_reason="stop", index=1),
    ]


async def test_calls_tools_and_tells_the_usage_given() -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
    played = deployment(
        tokens=[],
        reasoning=["hm"],
        tool_calls=[call],
        finish_reason="tool_calls",
        usage={"prompt_tokens": 5},
    )
    assert await ask(Scripted(), played) == [
        Delta(reasoning="hm"),
        Delta(tool_calls=[{"index": 0, **call}]),
        Delta(finish_reason="tool_calls"),
        Delta(usage=Usage(prompt_tokens=5)),
    ]


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_fails_where_it_is_told(after: int) -> None:
    provider = Scripted()
    played = deployment(
        tokens=["a", "b"], error="rate_limited", error_after=after, retry_after=3, error_status=429
    )
    taken: list[str] = []
    with pytest.raises(UpstreamError) as caught:  # noqa: PT012 - what came before matters
        async for delta in provider.stream(played, PROMPT, Params()):
            taken.append(delta.text)  # noqa: PERF401 - the error would lose a comprehension
    assert taken == ["a", "b"][:after]
    error = caught.value
    assert (error.failure, error.retry_after) == (UpstreamFailure.RATE_LIMITED, 3)
    assert (error.status, error.deployment) == (429, "fake")
    assert not provider.calls[0].aborted


async def test_remembers_calls_and_who_left() -> None:
    provider = Scripted()
    await ask(provider, deployment())
    deltas = provider.stream(deployment(), Text("second"), Params(seed=7))
    await anext(deltas)
    await deltas.aclose()
    assert [(call.aborted, call.deltas) for call in provider.calls] == [(False, 7), (True, 1)]
    assert provider.calls[1].prompt == Text("second")
    assert provider.calls[1].params.seed == 7


async def test_waits_at_a_gate() -> None:
    provider = Scripted()
    played = deployment(tokens=["a", "b"], gate="half", gate_after=1)
    asking = asyncio.ensure_future(ask(provider, played))
    await provider.gate("half").reached.wait()
    assert not asking.done()
    provider.gate("half").release()
    assert len(await asking) == 4


async def test_never_answers_where_it_hangs() -> None:
    provider = Scripted()
    asking = asyncio.ensure_future(ask(provider, deployment(hang=True, gate="asked")))
    provider.gate("asked").release()
    await provider.gate("asked").reached.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await provider.calls[0].ended.wait()
    assert provider.calls[0].aborted


async def test_waits_between_tokens() -> None:
    played = deployment(tokens=["a", "b"], first_delay=0.001, delay=0.001)
    assert len(await ask(Scripted(), played)) == 4


async def test_plays_a_changed_script() -> None:
    provider = Scripted()
    await ask(provider, deployment(tokens=["a"]))
    assert (await ask(provider, deployment(tokens=["b"])))[0].text == "b"


async def test_lists_models_and_counts_words() -> None:
    provider = Scripted()
    served = await provider.served(deployment(served=["x", "y"], window=9))
    assert [(model.name, model.window) for model in served] == [("x", 9), ("y", 9)]
    (own,) = await provider.served(deployment())
    assert own.name == "fake"
    assert await provider.count_tokens(deployment(), "a bc\n d") == 3
    assert await provider.count_tokens(deployment(tokenizer=False), "a") is None


def test_refuses_a_script_that_cannot_be_read() -> None:
    provider = Scripted()
    provider.check(deployment())
    for options in ({"token": ["a"]}, {"tokens": "a"}, {"error": "nonsense"}, {"delay": -1}):
        with pytest.raises(ConfigError, match="fake") as caught:
            provider.check(msgspec.structs.replace(deployment(), options=options))
        assert (caught.value.param or "").startswith("options")
