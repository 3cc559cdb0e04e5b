"""Deltas that came together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inhouse.core.delta import Delta, Usage, merged

CALL = {"index": 0, "function": {"arguments": "{"}}
TEXTS = st.builds(Delta, text=st.text(max_size=3), pieces=st.integers(1, 3))
MORE: tuple[dict[str, Any], ...] = (
    {"index": 1},
    {"finish_reason": "stop"},
    {"usage": Usage(completion_tokens=3)},
    {"reasoning": "hm"},
    {"tool_calls": [CALL]},
    {"logprobs": {"content": ["a"]}},
)


def more(delta: Delta, members: list[dict[str, Any]]) -> Delta:
    for each in members:
        delta = replace(delta, **each)
    return delta


# Mostly of one kind: a mistake about one shows where there are no others.
DELTAS = TEXTS | st.builds(more, TEXTS, st.lists(st.sampled_from(MORE), max_size=2))


@given(st.lists(DELTAS))
def test_what_is_merged_says_the_same(deltas: list[Delta]) -> None:
    def said(each: list[Delta], index: int) -> list[object]:
        of = [delta for delta in each if delta.index == index]
        return [
            "".join(delta.text for delta in of),
            [delta.finish_reason for delta in of if delta.finish_reason],
            [delta.usage for delta in of if delta.usage],
            [delta.reasoning for delta in of if delta.reasoning],
            [delta.tool_calls for delta in of if delta.tool_calls],
            [delta.logprobs for delta in of if delta.logprobs],
        ]

    found = merged(deltas)
    assert [said(found, index) for index in (0, 1)] == [said(deltas, index) for index in (0, 1)]
    assert sum(delta.pieces for delta in found) == sum(delta.pieces for delta in deltas)


@given(st.lists(DELTAS, min_size=2, max_size=2))
def test_whatever_is_more_than_text_keeps_its_place(deltas: list[Delta]) -> None:
    first, second = deltas
    alone = (
        first.index != second.index
        or first.finish_reason
        or any(each.reasoning or each.tool_calls or each.logprobs for each in deltas)
        or first.usage
    )
    assert len(merged(deltas)) == (2 if alone else 1)


def test_nothing_is_merged_to_nothing() -> None:
    assert merged([]) == []


@pytest.mark.parametrize("members", MORE)
def test_each_kind_of_more_stands_alone(members: dict[str, Any]) -> None:
    text, more = Delta(text="a"), Delta(text="b", **members)
    assert merged([more, text]) == [more, text]
    ends = members.keys() <= {"finish_reason", "usage"}
    joined = [replace(more, text="ab", pieces=2)]
    assert merged([text, more]) == (joined if ends else [text, more])
