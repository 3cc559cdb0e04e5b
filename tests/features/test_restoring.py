"""What disarming did to the caller's code is undone in the answer, however it streams."""

from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.restoring import Restorer
from inhouse.prompts import restore
from inhouse.prompts.special import disarm

TOKENS = ("<|fim_middle|>", "[SUFFIX]")


def restored(*pieces: str) -> str:
    restorer = Restorer(TOKENS)
    return "".join(map(restorer.feed, pieces)) + restorer.finish()


TEXT = st.lists(
    st.sampled_from(
        ["<|fim_middle|>", "< |fim_middle|>", "[SUFFIX]", "[ ", "[", "<", " ", "a", "<|"]
    )
).map("".join)


@given(TEXT, st.integers(0, 60))
def test_the_same_for_every_cut(text: str, at: int) -> None:
    assert restored(text) == restored(text[:at], text[at:]) == restored(*text)
    assert restored(text) == restore(text, TOKENS)


@given(TEXT)
def test_an_echo_of_disarmed_code_is_the_code(text: str) -> None:
    assert restored(*disarm(text, TOKENS)) == text


def test_holds_nothing_back_that_is_certain() -> None:
    restorer = Restorer(TOKENS)
    assert restorer.feed("a < b") == "a < b"
    assert restorer.feed("x[") == "x"
    assert restorer.feed("0]") == "[0]"
