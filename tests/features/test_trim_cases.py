"""A table of completions in many languages, each with what a developer wants to see of it."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.trim import Trimming

TABLE = Path(__file__).parent / "trim_cases"


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `written` leaves of itself at the cursor of a file."""

    name: str
    path: str
    prefix: str
    suffix: str
    written: str
    expected: str


TABLES = {
    file.stem: msgspec.json.decode(file.read_bytes(), type=list[Case])
    for file in sorted(TABLE.glob("*.json"))
}
CASES = [
    pytest.param(case, id=f"{language}: {case.name}")
    for language, cases in TABLES.items()
    for case in cases
]


def trimmed(case: Case, *pieces: str) -> str:
    trimmer = Trimming(case.prefix, case.suffix, case.path)
    shown = ""
    for piece in pieces:
        shown += trimmer.feed(piece)
        if trimmer.done:
            return shown
    return shown + trimmer.finish()


@pytest.mark.parametrize("case", CASES)
def test_shows_what_is_wanted(case: Case) -> None:
    assert trimmed(case, case.written) == case.expected
    assert trimmed(case, *case.written) == case.expected


@given(st.sampled_from([case for cases in TABLES.values() for case in cases]), st.data())
def test_shows_the_same_for_every_cut(case: Case, data: st.DataObject) -> None:
    size = len(case.written)
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=8)))
    pieces = [case.written[a:b] for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    assert trimmed(case, *pieces) == case.expected


CODE = st.text(alphabet="ab =(){}[]\"'<|>;,:\n ", max_size=80)


@given(CODE, CODE, CODE, st.data())
def test_any_code_shows_the_same_for_every_cut(
    prefix: str, suffix: str, written: str, data: st.DataObject
) -> None:
    case = Case("", "a.py", prefix, suffix, written, "")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=6)))
    pieces = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    whole = trimmed(case, written)
    assert whole in written
    assert trimmed(case, *pieces) == whole
    assert trimmed(case, *written) == whole


@pytest.mark.parametrize(
    ("prefix", "suffix", "enough"),
    [
        ("print(", ")\n", "name)\n"),
        ("if ", " is None:\n    pass\n", "value is None:"),
        ("x = ", "\n", "1\ny ="),
        ("x = ", "  # so many\n", "1\n"),
        ("def f():\n    ", "\n    return total\n", "a()\n    return total\n"),
        ("def f():\n    ", "\n", "a()\nclass A"),
        ("f() {\n  ", "\n}\n", "a();\n}\nb"),
        ("x = ", "\n", "1<|endoftext|>"),
    ],
)
def test_says_as_soon_as_the_suggestion_is_complete(prefix: str, suffix: str, enough: str) -> None:
    trimmer = Trimming(prefix, suffix)
    for character in enough[:-1]:
        trimmer.feed(character)
    assert not trimmer.done
    trimmer.feed(enough[-1])
    assert trimmer.done


def test_holds_back_no_more_than_it_must() -> None:
    trimmer = Trimming("print(", ")\n")
    assert trimmer.feed("str(na") == "str(na"
    assert trimmer.feed("me))") == "me)"
    assert trimmer.feed(" + (") == ") + ("


def test_the_table_is_long_enough() -> None:
    assert sum(map(len, TABLES.values())) >= 150
    assert len(TABLES) >= 10
