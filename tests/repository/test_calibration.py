import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.documents import Document
from inhouse.providers.repository import calibration
from inhouse.providers.repository.builder import calibrated
from inhouse.providers.repository.calibration import Guess, threshold
from inhouse.providers.repository.index import build

MARKED = "alpha = 1\n\n# a comment\r\n    beta(2)  \nlast"


def ramp(right: int, size: int = 100) -> list[Guess]:
    """Guesses of falling confidence of which the first `right` are right."""
    return [Guess(1 - number / size, number < right) for number in range(size)]


@pytest.mark.parametrize(
    ("right", "shown"),
    [(0, 20), (5, 20), (15, 25), (20, 33), (24, 40), (100, 40)],
)
def test_as_much_is_shown_as_precision_allows(right: int, shown: int) -> None:
    made = ramp(right)
    least = threshold(made)
    assert sum(guess.confidence >= least for guess in made) == shown


def test_too_few_guesses_teach_nothing() -> None:
    assert threshold(ramp(10, size=49)) == calibration.DEFAULT


def test_no_confidence_is_never_enough() -> None:
    assert threshold([Guess(0.0, right=False)] * 100) > 0


@given(st.randoms(use_true_random=False))
def test_a_cursor_cuts_a_line_in_two(choose: random.Random) -> None:
    (cursor,) = calibration.cursors([Document("a.py", MARKED)], 1, choose)
    line = cursor.prefix.rpartition("\n")[2] + cursor.target
    assert line in ("alpha = 1", "    beta(2)", "last")
    assert cursor.target
    assert cursor.suffix[:1] in ("\n", "")
    assert (cursor.prefix + cursor.target + cursor.suffix).split() == MARKED.split()


def test_without_any_line_there_is_no_cursor() -> None:
    documents = [Document("a.py", "\n  \n# only words\n")]
    assert list(calibration.cursors(documents, 5, random.Random(1))) == []  # noqa: S311


def test_guesses_know_whether_they_are_right() -> None:
    index = build([Document("a.py", "alpha = beta(gamma)\n")], 0)
    known = calibration.Cursor("b.py", "alpha = ", "beta(gamma)", "\n")
    unknown = calibration.Cursor("b.py", "%", "$", "\n")
    first, second = calibration.guesses(index, [known, unknown])
    assert (first.right, second) == (True, Guess(0.0, right=False))


def test_a_repository_calibrates_itself_the_same_way_each_time() -> None:
    documents = [
        Document(f"{number}.py", f"def f{number}(x):\n    return x + {number % 3}\n" * 5)
        for number in range(60)
    ]
    heard: list[float] = []
    first = calibrated(documents, heard.append)
    assert first.threshold == calibrated(documents, heard.append).threshold
    assert 0 < first.threshold < 1
    assert first.threshold != calibration.DEFAULT
    assert max(heard) == pytest.approx(1.0, abs=0.05)
