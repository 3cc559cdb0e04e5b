"""Deltas that came together."""

from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Delta, Usage, merged

CALL = {"index": 0, "function": {"arguments": "{"}}
DELTAS = st.builds(
    Delta,
    text=st.text(max_size=3),
    index=st.integers(0, 1),
    finish_reason=st.none() | st.just("stop"),
    usage=st.none() | st.just(Usage(completion_tokens=3)),
    reasoning=st.just("") | st.just("hm"),
    tool_calls=st.none() | st.just([CALL]),
    logprobs=st.none() | st.just({"content": ["a"]}),
)


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
    assert sum(delta.pieces for delta in found) == len(deltas)


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
