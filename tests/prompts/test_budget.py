"""Code is cut at line ends, from the far side of the cursor, and never overflows."""

from hypothesis import assume, given
from hypothesis import strategies as st

from inhouse.prompts import Budget
from inhouse.prompts.budget import STEPS, cut, head, size, tail

TEXT = st.text(st.sampled_from("ab \n\r\té日😀\ud800"), max_size=60)
ROOM = st.integers(0, 80)


def sure(room: int, limits: tuple[int, int]) -> int:
    """What a prefix has, however long the suffix is."""
    return min(limits[0], room - room * limits[1] // max(1, sum(limits)))


def step_of(room: int, limits: tuple[int, int]) -> int:
    return max(1, sure(room, limits) // STEPS)


@given(TEXT, ROOM)
def test_a_tail_is_the_end_of_its_text_and_fits(text: str, room: int) -> None:
    kept = tail(text, room)
    assert text.endswith(kept)
    assert size(kept) <= room
    assert kept == text or size(text) > room


@given(TEXT, ROOM)
def test_a_head_is_the_start_of_its_text_and_fits(text: str, room: int) -> None:
    kept = head(text, room)
    assert text.startswith(kept)
    assert size(kept) <= room
    assert kept == text or size(text) > room


@given(TEXT, ROOM)
def test_cuts_fall_on_line_ends_unless_one_line_is_too_long(text: str, room: int) -> None:
    kept = tail(text, room)
    rest = text[: len(text) - len(kept)]
    if rest and not rest.endswith("\n"):
        assert not kept.partition("\n")[2].strip(), "a whole line stood there and was not used"
    kept = head(text, room)
    if kept != text and not kept.endswith("\n"):
        assert not kept.rpartition("\n")[0].strip(), "a whole line stood there and was not used"


@given(TEXT, ROOM)
def test_more_room_keeps_at_least_as_much(text: str, room: int) -> None:
    assert len(tail(text, room)) <= len(tail(text, room + 1))
    assert len(head(text, room)) <= len(head(text, room + 1))


@given(TEXT, ROOM, st.integers(1, 30))
def test_cutting_in_steps_takes_off_less_than_a_step_more(text: str, room: int, step: int) -> None:
    kept = tail(text, room, step)
    assert tail(text, room).endswith(kept)
    assert kept.endswith(tail(text, max(0, room - step + 1)))


@given(TEXT, TEXT, ROOM, st.integers(1, 30))
def test_what_is_typed_moves_the_cut_once_a_step(
    text: str, typed: str, room: int, step: int
) -> None:
    assume(room >= step)
    ends = [text + typed[:count] for count in range(len(typed) + 1)]
    cuts = {len(end) - len(tail(end, room, step)) for end in ends}
    # Not at all, or once a step; and a cut inside of a line moves to the line's end for new code.
    assert len(cuts) <= 1 + 2 * (2 + size(typed) // step)


@given(TEXT, TEXT, ROOM, st.tuples(ROOM, ROOM))
def test_both_sides_fit_together_and_the_prefix_wastes_less_than_a_step(
    prefix: str, suffix: str, room: int, limits: tuple[int, int]
) -> None:
    before, after = cut(prefix, suffix, room, limits)
    assert prefix.endswith(before)
    assert suffix.startswith(after)
    assert size(before) + size(after) <= room
    assert size(before) <= limits[0]
    assert size(after) <= limits[1]
    share, step = sure(room, limits), step_of(room, limits)
    assert before.endswith(tail(prefix, max(0, share - step + 1)))
    assert after.startswith(head(suffix, min(limits[1], room - share)))


@given(TEXT, TEXT, TEXT, ROOM, st.tuples(ROOM, ROOM))
def test_typing_a_few_characters_leaves_the_suffix(
    prefix: str, typed: str, suffix: str, room: int, limits: tuple[int, int]
) -> None:
    suffixes = {
        cut(prefix + typed[:count], suffix, room, limits)[1] for count in range(len(typed) + 1)
    }
    assert len(suffixes) <= 2 + size(typed) // step_of(room, limits)


@given(TEXT, TEXT)
def test_what_fits_is_left_alone(prefix: str, suffix: str) -> None:
    room = size(prefix) + size(suffix)
    assert cut(prefix, suffix, room, (room, room)) == (prefix, suffix)


def test_the_nearest_code_survives() -> None:
    assert tail("far = 1\nnear = 2\nx = ", 14) == "near = 2\nx = "
    assert head(" + 1\nnear()\nfar()\n", 14) == " + 1\nnear()\n"
    assert tail("a_line_that_is_too_long", 8) == "too_long"
    assert head("a_line_that_is_too_long", 8) == "a_line_t"


@given(TEXT.map(lambda text: text.replace("\n", "")), TEXT, TEXT)
def test_a_cut_that_falls_on_a_line_s_beginning_takes_no_more(
    line: str, first: str, second: str
) -> None:
    kept = f"x{line}\n{second}"
    assert tail(f"{first}\n{kept}", size(kept)) == kept


def test_tokens_are_never_taken_for_too_few() -> None:
    budget = Budget(window=10, prefix_tokens=1, suffix_tokens=1, output_tokens=5)
    assert [budget.tokens(size) for size in (0, 1, 3, 4, 32)] == [0, 1, 1, 2, 10]
    assert budget.output(None, 99) == 1


@given(TEXT, TEXT, st.integers(-9, -1))
def test_less_than_no_room_holds_nothing(prefix: str, suffix: str, room: int) -> None:
    assert cut(prefix, suffix, room, (5, 5)) == ("", "")


def test_blank_lines_alone_do_not_displace_code() -> None:
    assert tail("a_long_line()\n\n    ", 9) == "e()\n\n    "
    assert head("\n\nend_of_function()", 6) == "\n\nend_"


def test_one_side_takes_what_the_other_leaves() -> None:
    assert cut("p" * 90, "s" * 10, 60, (60, 60)) == ("p" * 48, "s" * 10)
    assert cut("p" * 10, "s" * 90, 60, (60, 60)) == ("p" * 10, "s" * 46)
    assert cut("p" * 90, "s" * 90, 60, (80, 20)) == ("p" * 42, "s" * 12)


@given(
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.none() | st.integers(-3, 20_000),
    st.floats(0.1, 8),
    st.integers(0, 100_000),
)
def test_prompt_and_answer_fit_the_window(
    window: int, output: int, wanted: int | None, ratio: float, used: int
) -> None:
    budget = Budget(
        window=window,
        prefix_tokens=1,
        suffix_tokens=1,
        output_tokens=output,
        characters_per_token=ratio,
    )
    room = budget.room(wanted)
    assume(room > 0)
    prompt = budget.tokens(min(used, room))
    answer = budget.output(wanted, prompt)
    assert answer >= 1
    assert prompt + answer <= window
    assert answer <= max(1, output if wanted is None else wanted)


def test_a_huge_wish_leaves_half_the_window_to_the_prompt() -> None:
    budget = Budget(window=1000, prefix_tokens=1, suffix_tokens=1, output_tokens=100)
    assert budget.reserve(None) == 100
    assert budget.reserve(900) == 500
    assert budget.output(900, 200) == 800
