"""A whole answer is what its stream adds up to."""

from collections.abc import AsyncGenerator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Answer, Choice, Delta, Usage
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.features.joined import joined


async def stream(deltas: Sequence[Delta]) -> AsyncGenerator[Delta]:
    for delta in deltas:
        yield delta


async def answer(*deltas: Delta) -> Answer:
    return await joined(stream(deltas))


async def test_joins_text_and_keeps_finish_reason_and_usage() -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=2)
    found = await answer(
        Delta(text="a"), Delta(text="b", finish_reason="length"), Delta(usage=usage)
    )
    assert found == Answer(choices=(Choice(text="ab", finish_reason="length"),), usage=usage)


async def test_keeps_choices_apart_and_in_order() -> None:
    found = await answer(
        Delta(text="x", index=1), Delta(text="a"), Delta(text="y", index=1), Delta(text="b")
    )
    assert [(each.index, each.text) for each in found.choices] == [(0, "ab"), (1, "xy")]


async def test_an_empty_stream_is_one_empty_choice() -> None:
    assert await answer() == Answer(choices=(Choice(),))


async def test_joins_tool_calls_from_their_fragments() -> None:
    found = await answer(
        Delta(tool_calls=[{"index": 0, "id": "c1", "type": "function",
                           "function": {"name": "look", "arguments": ""}}]),
        Delta(tool_calls=[{"index": 0, "function": {"arguments": '{"at":'}}]),
        Delta(tool_calls=[{"index": 1, "id": "c2", "type": "function",
                           "function": {"name": "stop", "arguments": "{}"}}]),
        Delta(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}],
              finish_reason="tool_calls"),
    )  # fmt: skip
    assert found.choices[0].tool_calls == (
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}},
        {"id": "c2", "type": "function", "function": {"name": "stop", "arguments": "{}"}},
    )
    assert found.choices[0].finish_reason == "tool_calls"


async def test_joins_what_is_no_text_and_no_list_without_a_fault() -> None:
    found = await answer(
        Delta(tool_calls=[{"index": 0, "function": {"name": "look", "strict": True}}]),
        Delta(tool_calls=[{"index": 0, "function": None}], logprobs={"content": [1], "top": None}),
        Delta(tool_calls=[{"index": 0, "function": {"strict": True}}], logprobs={"content": 5}),
    )
    (choice,) = found.choices
    assert choice.tool_calls[0]["function"] == {"name": "look", "arguments": "", "strict": True}
    assert choice.logprobs == {"content": [1], "top": None}


@pytest.mark.parametrize("delta", [Delta(text="x" * 400), Delta(reasoning="x" * 400), Delta()])
async def test_an_answer_without_an_end_is_given_up(delta: Delta) -> None:
    with pytest.raises(UpstreamError) as caught:
        await joined(stream([delta] * 100), limit=1000)
    assert caught.value.failure is UpstreamFailure.PROTOCOL


@given(st.lists(st.text(max_size=5)))
async def test_loses_no_character(pieces: list[str]) -> None:
    found = await answer(*(Delta(text=piece) for piece in pieces))
    assert found.choices[0].text == "".join(pieces)
