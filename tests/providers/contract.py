"""What every provider of models keeps to, whatever the upstream: a fake or a real engine.

A check takes a `Subject`. Text is never looked at but for being there: models in tests have random
weights.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Usage
from inhouse.core.ports import Provider
from inhouse.core.prompt import Messages, Prompt, Text
from inhouse.core.requests import Message, Params
from inhouse.errors import UpstreamError, UpstreamFailure

FIM_PROMPT = Text("<fim_prefix>def area(width, height):\n    <fim_suffix>\n<fim_middle>")
CHAT_PROMPT = Messages((Message(role="user", content="How does a list end?"),))
GREEDY = Params(max_tokens=8, temperature=0.0)
MANY = 20


@dataclass(frozen=True)
class Subject:
    """A provider and a deployment of it to try.

    `slow` answers so slowly, or at such length, that it can be left half way; `longest` is as many
    tokens as it may be asked for. `silent` takes its time before the first token, and `begun` waits
    until it works on a request. `settled` waits until the upstream is idle and returns the tokens
    that it has generated so far.
    """

    provider: Provider
    deployment: Deployment
    slow: Deployment
    silent: Deployment
    begun: Callable[[], Awaitable[object]]
    count_tokens: Callable[[str], Awaitable[int]]
    settled: Callable[[], Awaitable[int]]
    window: int | None
    longest: int
    stops: bool = True
    knows_models: bool = True
    refuses_overflow: bool = True
    counts_tokens: bool = True
    takes_text: bool = True

    def prompt(self, text: str = FIM_PROMPT.text) -> Prompt:
        """Return a text as this provider takes it."""
        return Text(text) if self.takes_text else Messages((Message(role="user", content=text),))

    async def ask(self, prompt: Prompt, params: Params) -> list[Delta]:
        async with aclosing(self.provider.stream(self.deployment, prompt, params)) as deltas:
            return [delta async for delta in deltas]


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


def finish_reasons(deltas: list[Delta]) -> list[str]:
    return [delta.finish_reason for delta in deltas if delta.finish_reason is not None]


def usage(deltas: list[Delta]) -> Usage:
    """Return the usage, which comes once and last."""
    assert [delta.usage is not None for delta in deltas].index(True) == len(deltas) - 1
    assert deltas[-1].usage is not None
    return deltas[-1].usage


async def completes_a_prompt_with_sentinels(subject: Subject) -> None:
    deltas = await subject.ask(FIM_PROMPT, GREEDY)
    assert text(deltas)
    assert finish_reasons(deltas) == ["length"]
    counted = usage(deltas)
    assert counted.completion_tokens == GREEDY.max_tokens
    assert counted.prompt_tokens == await subject.count_tokens(FIM_PROMPT.text)


async def answers_a_conversation(subject: Subject) -> None:
    deltas = await subject.ask(CHAT_PROMPT, GREEDY)
    assert text(deltas)
    assert finish_reasons(deltas) == ["length"]
    assert usage(deltas).prompt_tokens > 0


async def streams_piece_by_piece(subject: Subject) -> None:
    deltas = await subject.ask(subject.prompt(), msgspec.structs.replace(GREEDY, max_tokens=32))
    # Pieces that come in one read are one delta.
    assert sum(delta.pieces for delta in deltas if delta.text) > 4


async def answers_alike_when_greedy(subject: Subject) -> None:
    first = await subject.ask(subject.prompt(), GREEDY)
    second = await subject.ask(subject.prompt(), GREEDY)
    assert text(first) == text(second)


async def stops_where_it_is_told(subject: Subject) -> None:
    whole = text(await subject.ask(subject.prompt(), GREEDY))
    stop = whole[len(whole) // 2 :][:3]
    deltas = await subject.ask(subject.prompt(), msgspec.structs.replace(GREEDY, stop=(stop,)))
    assert text(deltas) == whole[: whole.index(stop)]
    assert finish_reasons(deltas) == ["stop"]


async def refuses_an_unknown_model(subject: Subject) -> None:
    provider, _, model = subject.deployment.identifier.partition("/")
    other = msgspec.structs.replace(
        subject.deployment, name="another", identifier=f"{provider}/{model}r"
    )
    with pytest.raises(UpstreamError, match=f"did you mean '{model}'") as caught:
        await anext(subject.provider.stream(other, subject.prompt(), GREEDY))
    assert caught.value.failure is UpstreamFailure.UNKNOWN_MODEL
    assert caught.value.deployment == "another"


async def refuses_a_prompt_over_the_window(subject: Subject) -> None:
    assert subject.window is not None
    secret = subject.prompt("confidential = 7\n" * subject.window)
    with pytest.raises(UpstreamError) as caught:
        await subject.ask(secret, GREEDY)
    assert caught.value.failure is UpstreamFailure.CONTEXT_LENGTH
    assert caught.value.deployment == subject.deployment.name
    assert "confidential" not in caught.value.message


async def tells_the_window(subject: Subject) -> None:
    served = await subject.provider.served(subject.deployment)
    windows = {model.name: model.window for model in served}
    assert windows[subject.deployment.model] == subject.window


async def counts_sentinels_as_tokens(subject: Subject) -> None:
    for sample in ("<fim_prefix><fim_suffix><fim_middle>", FIM_PROMPT.text, "", "wörter"):
        counted = await subject.provider.count_tokens(subject.deployment, sample)
        assert counted == await subject.count_tokens(sample)


async def hangs_up_in_mid_stream(subject: Subject) -> None:
    before = await subject.settled()
    params = Params(max_tokens=subject.longest, extra={"ignore_eos": True})
    deltas = subject.provider.stream(subject.slow, subject.prompt(), params)
    await anext(deltas)
    await deltas.aclose()
    assert await subject.settled() - before < subject.longest // 2


async def hangs_up_before_the_first_token(subject: Subject) -> None:
    before = await subject.settled()
    params = Params(max_tokens=subject.longest, extra={"ignore_eos": True})
    # Real engines have no silence but that of reading a long prompt.
    prompt = subject.prompt("import os\n" * 100)
    deltas = subject.provider.stream(subject.silent, prompt, params)
    asking = asyncio.ensure_future(anext(deltas))
    await subject.begun()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await deltas.aclose()
    assert await subject.settled() - before < subject.longest // 2


async def answers_many_at_once(subject: Subject) -> None:
    answers = await asyncio.gather(*(subject.ask(subject.prompt(), GREEDY) for _ in range(MANY)))
    for deltas in answers:
        assert usage(deltas).completion_tokens == GREEDY.max_tokens
        assert finish_reasons(deltas) == ["length"]


Check = Callable[[Subject], Awaitable[None]]

_OPTIONAL: dict[Check, Callable[[Subject], bool]] = {
    completes_a_prompt_with_sentinels: lambda subject: subject.takes_text,
    stops_where_it_is_told: lambda subject: subject.stops,
    refuses_an_unknown_model: lambda subject: subject.knows_models,
    refuses_a_prompt_over_the_window: lambda subject: subject.refuses_overflow,
    counts_sentinels_as_tokens: lambda subject: subject.counts_tokens,
}

CHECKS: tuple[Check, ...] = (
    answers_a_conversation,
    streams_piece_by_piece,
    answers_alike_when_greedy,
    tells_the_window,
    hangs_up_in_mid_stream,
    hangs_up_before_the_first_token,
    answers_many_at_once,
    *_OPTIONAL,
)


async def hold(check: Check, subject: Subject) -> None:
    """Run a check; one that is not for this upstream holds already."""
    applies = _OPTIONAL.get(check)
    if applies is None or applies(subject):
        await check(subject)
