"""A text ends where its first stop sequence begins, however it streams."""

from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.stops import Stops


def stopped(stops: list[str], *pieces: str) -> str:
    watch = Stops(stops)
    shown = "".join(map(watch.feed, pieces))
    return shown if watch.done else shown + watch.finish()


@given(
    st.lists(st.text("ab<>", min_size=1, max_size=4), min_size=1, max_size=5),
    st.text("ab<>", max_size=30),
)
def test_cuts_where_the_first_stop_is_complete(stops: list[str], text: str) -> None:
    whole = stopped(stops, text)
    assert text.startswith(whole)
    assert whole == min((text.partition(stop)[0] for stop in stops), key=len)


@given(
    st.lists(st.text("ab<>", min_size=1, max_size=4), min_size=1, max_size=5),
    st.text("ab<>", max_size=30),
    st.integers(0, 30),
)
def test_is_the_same_for_every_cut(stops: list[str], text: str, at: int) -> None:
    assert stopped(stops, text) == stopped(stops, *text) == stopped(stops, text[:at], text[at:])


def test_holds_back_no_more_than_it_must() -> None:
    watch = Stops(["<|end|>", "\n\n"])
    assert watch.feed("a <") == "a "
    assert watch.feed("b\n") == "<b"
    assert watch.feed("c") == "\nc"
    assert watch.feed("<|end|>tail") == ""
    assert watch.done
