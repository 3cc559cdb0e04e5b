from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.delta import Usage
from inhouse.replay import Metered, Percentiles, State, Wrong
from inhouse.replay.asking import Suggested
from inhouse.replay.figures import Tally, percentiles

HERE = State("ab", 1)
TOLD = Usage(prompt_tokens=5, completion_tokens=2)


def test_nothing_is_no_percentile() -> None:
    assert percentiles([]) is None


@given(st.lists(st.integers(0, 50), min_size=1))
def test_so_many_per_cent_are_no_larger(values: list[int]) -> None:
    found = percentiles(values)
    assert found is not None
    assert found.p50 <= found.p95 <= found.p99
    for share, least in zip((50, 95, 99), (found.p50, found.p95, found.p99), strict=True):
        counts = Counter(each <= least for each in values)
        assert counts[True] * 100 >= share * len(values)
        assert sum(each < least for each in values) * 100 < share * len(values)


def test_percentiles_of_a_hundred() -> None:
    assert percentiles(range(100, 0, -1)) == Percentiles(50, 95, 99)


def test_what_the_same_text_got_before_must_come_again() -> None:
    tally = Tally()
    tally.answer(HERE, "", Suggested("x", TOLD), 1)
    tally.answer(State("ab", 2), "", Suggested("y", TOLD), 1)
    tally.answer(HERE, "", Suggested("x", TOLD), 1)
    assert tally.figures(None).good
    tally.answer(HERE, "", Suggested("", TOLD), 1)
    found = tally.figures(None)
    assert (found.repeated, found.wrong) == (2, Wrong(0, 1))
    assert not found.good


def test_what_is_marked_must_not_be_contradicted() -> None:
    tally = Tally()
    for number, text in enumerate(["wid", "width +", "", "height"]):
        tally.answer(State("x" * number, 0), "width", Suggested(text, TOLD), 1)
    assert tally.figures(None).wrong == Wrong(1, 0)
    assert tally.figures(None).empty == 1


def test_a_cost_says_who_tells_it() -> None:
    tally = Tally()
    tally.answer(HERE, "", Suggested("x", TOLD), 1)
    tally.answer(HERE, "", Suggested("x", None), 1)
    found = tally.figures(None)
    assert (found.untold, found.cost.source, found.cost.requests) == (1, "answers", None)
    assert (found.cost.prompt_tokens, found.cost.completion_tokens) == (5, 2)
    assert found.cost.tokens_per_accepted_character is None
    tally.accepted_characters = 4
    assert tally.figures(None).cost.tokens_per_accepted_character == 7 / 4
    added = Metered(requests=3, upstream_requests=2, prompt_tokens=9, completion_tokens=3)
    cost = tally.figures(added).cost
    assert (cost.source, cost.requests) == ("metrics", 2)
    assert cost.requests_per_accepted_character == 0.5
    assert cost.tokens_per_accepted_character == 3.0
