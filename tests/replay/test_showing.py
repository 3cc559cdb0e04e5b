import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.replay import State
from inhouse.replay.session import Accept, Backspace, Event, Leave, Move, Type, Undo
from inhouse.replay.showing import left

ODDS = st.text(alphabet="ab()\n ", max_size=8)


@pytest.mark.parametrize(
    ("shown", "event", "rest"),
    [
        ("width", Type(at=0, text="w"), "idth"),
        ("width", Type(at=0, text="h"), ""),
        ("w", Type(at=0, text="w"), ""),
        ("\n    pass", Type(at=0, text="\n    "), "pass"),
        ("(a, b)", Type(at=0, text="(", closes=")"), "a, b"),
        ("(a) + 1", Type(at=0, text="(", closes=")"), ""),
        ("width", Accept(at=0), "width"),
        ("width", Backspace(at=0), ""),
        ("width", Undo(at=0), ""),
        ("width", Move(at=0, to=0), ""),
        ("width", Leave(at=0), ""),
    ],
)
def test_what_is_left_of_a_suggestion(shown: str, event: Event, rest: str) -> None:
    assert left(shown, event) == rest


@given(ODDS, ODDS, ODDS, ODDS.filter(bool), st.sampled_from(["", ")"]))
def test_accepting_what_is_left_makes_the_text_that_accepting_all_would_have_made(
    prefix: str, suffix: str, shown: str, text: str, closes: str
) -> None:
    state = State(prefix + suffix, len(prefix))
    rest = left(shown, Type(at=0, text=text, closes=closes))
    if rest:
        typed = state.with_inserted(text, closes)
        assert typed.with_inserted(rest).text == state.with_inserted(shown).text
