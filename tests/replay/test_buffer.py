import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.replay import Buffer, State

TEXTS = st.text(max_size=20)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("type"), st.text(min_size=1, max_size=5), st.sampled_from(["", ")"])),
        st.tuples(st.just("backspace"), st.integers(1, 3), st.just(None)),
        st.tuples(st.just("move"), st.integers(0, 10), st.just(None)),
    ),
    max_size=20,
)


@st.composite
def states(draw: st.DrawFn) -> State:
    text = draw(TEXTS)
    return State(text, draw(st.integers(0, len(text))))


def edited(buffer: Buffer, edits: list[tuple[str, object, str | None]]) -> list[State]:
    """Do what can be done, and return where each step of undo leads."""
    befores: list[State] = []
    for name, what, closes in edits:
        before = buffer.state
        try:
            match name, what:
                case "type", str(text):
                    buffer.type(text, closes or "")
                case "backspace", int(count):
                    buffer.backspace(count)
                case _, int(to):
                    buffer.move(to)
                case _:
                    pytest.fail("no such edit")
        except ValueError:
            assert buffer.state == before
        else:
            if name != "move":
                befores.append(before)
    return befores


@given(states(), EDITS)
def test_undo_leads_back_and_redo_forth_again(
    start: State, edits: list[tuple[str, object, str | None]]
) -> None:
    buffer = Buffer(start)
    befores = edited(buffer, edits)
    texts = [buffer.state.text]
    for before in reversed(befores):
        buffer.undo()
        assert buffer.state == before
        texts.append(before.text)
    assert buffer.state.text == start.text
    with pytest.raises(ValueError, match="nothing to undo"):
        buffer.undo()
    for text in reversed(texts[:-1]):
        buffer.redo()
        assert buffer.state.text == text
    with pytest.raises(ValueError, match="nothing to redo"):
        buffer.redo()


@given(states(), EDITS)
def test_an_edit_behind_an_undo_forgets_what_was_undone(
    start: State, edits: list[tuple[str, object, str | None]]
) -> None:
    buffer = Buffer(start)
    if edited(buffer, edits):
        buffer.undo()
    buffer.type("x")
    with pytest.raises(ValueError, match="nothing to redo"):
        buffer.redo()


@given(states(), st.text(min_size=1, max_size=5), st.sampled_from(["", ")", '"']))
def test_what_is_typed_is_taken_away_by_backspace(state: State, text: str, closes: str) -> None:
    buffer = Buffer(state)
    buffer.type(text, closes)
    assert buffer.state.prefix == state.prefix + text
    assert buffer.state.suffix == closes + state.suffix
    buffer.backspace(len(text))
    assert (buffer.state.prefix, buffer.state.suffix) == (state.prefix, closes + state.suffix)


def test_a_closing_bracket_is_typed_over() -> None:
    buffer = Buffer(State("f", 1))
    buffer.type("(", ")")
    buffer.over()
    assert buffer.state == State("f()", 3)
    with pytest.raises(ValueError, match="outside"):
        buffer.over()


def test_a_cursor_is_in_its_text() -> None:
    with pytest.raises(ValueError, match="outside"):
        Buffer(State("x", 2))
