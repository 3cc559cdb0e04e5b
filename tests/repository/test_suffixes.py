import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.providers.repository.suffixes import (
    LONGEST_CONTEXT,
    SEPARATOR,
    SORTED_TOKENS,
    Contexts,
    sort,
)

streams = st.lists(st.integers(0, 4), max_size=120).map(lambda ids: [SEPARATOR, *ids, SEPARATOR])


def before(ids: list[int], position: int) -> list[int]:
    """The tokens before a position, the nearest first."""
    return ids[max(0, position - SORTED_TOKENS) : position][::-1]


def occurrences(ids: list[int], context: list[int]) -> list[int]:
    size = len(context)
    return [place for place in range(size, len(ids)) if ids[place - size : place] == context]


@given(streams)
def test_rows_are_sorted_by_what_stands_before(ids: list[int]) -> None:
    rows = sort(np.array(ids, np.int32)).tolist()
    assert rows == sorted(range(len(ids)), key=lambda place: (before(ids, place), place))


@given(streams, st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_ranges_hold_exactly_the_occurrences(ids: list[int], context: list[int]) -> None:
    array = np.array(ids, np.int32)
    contexts = Contexts(array, sort(array))
    found = contexts.ranges(context)
    for order, (low, high) in enumerate(found, 1):
        assert sorted(contexts.rows[low:high]) == occurrences(ids, context[-order:])
    longer = context[-len(found) - 1 :]
    if len(found) < min(len(context), LONGEST_CONTEXT) and SEPARATOR not in longer[1:]:
        assert not occurrences(ids, longer)


@pytest.mark.parametrize("size", [2000, 20_000])
def test_large_ranges_are_searched_row_by_row(size: int) -> None:
    ids = [SEPARATOR, *np.random.default_rng(7).integers(1, 4, size).tolist(), SEPARATOR]
    array = np.array(ids, np.int32)
    contexts = Contexts(array, sort(array))
    low, high = contexts.ranges([2, 3, 1])[2]
    assert sorted(contexts.rows[low:high]) == occurrences(ids, [2, 3, 1])


def test_followers_are_evenly_spaced_samples() -> None:
    array = np.array([SEPARATOR, *([1, 2] * 50), *([1, 3] * 50), SEPARATOR], np.int32)
    contexts = Contexts(array, sort(array))
    low, high = contexts.ranges([1])[0]
    assert high - low == 100
    assert contexts.followers(low, high, 10).count(2) == 5
    assert len(contexts.followers(low, high, 1000)) == 100


def test_a_file_begins_at_its_separator() -> None:
    array = np.array([SEPARATOR, 1, 2, SEPARATOR, 1, 3, SEPARATOR], np.int32)
    contexts = Contexts(array, sort(array))
    assert len(contexts.ranges([2, SEPARATOR, 1])) == 2


def test_an_empty_repository_knows_no_context() -> None:
    array = np.array([SEPARATOR], np.int32)
    assert Contexts(array, sort(array)).ranges([1]) == []
