"""A table of completions in many languages, each with what a developer wants to see of it."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.trim import Trimming
from inhouse.features.trimming.syntax import Shapes, Syntax

TABLE = Path(__file__).parent / "trim_cases"


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `written` leaves of itself at the cursor of a file."""

    name: str
    path: str
    prefix: str
    suffix: str
    written: str
    expected: str
    shapes: str | None = None
    """What is shown where no parser is installed, if that is something else."""


TABLES = {
    file.stem: msgspec.json.decode(file.read_bytes(), type=list[Case])
    for file in sorted(TABLE.glob("*.json"))
}
CASES = [
    pytest.param(case, id=f"{language}: {case.name}")
    for language, cases in TABLES.items()
    for case in cases
]


def trimmed(case: Case, *pieces: str, syntax: Syntax | None = None) -> str:
    trimmer = Trimming(case.prefix, case.suffix, case.path, syntax=syntax)
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


@pytest.mark.parametrize("case", CASES)
def test_shows_almost_that_without_a_parser(case: Case) -> None:
    expected = case.expected if case.shapes is None else case.shapes
    assert trimmed(case, case.written, syntax=Shapes()) == expected
    assert trimmed(case, *case.written, syntax=Shapes()) == expected


def cut(written: str, data: st.DataObject) -> list[str]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=8)))
    return [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]


@given(st.sampled_from([case for cases in TABLES.values() for case in cases]), st.data())
def test_shows_the_same_for_every_cut(case: Case, data: st.DataObject) -> None:
    assert trimmed(case, *cut(case.written, data)) == case.expected


CODE = st.text(alphabet="ab =(){}[]\"'`/#<|>;,:\n ", max_size=80)
PATHS = st.sampled_from(["a.py", "a.jsx", "a.rb", "a.sh", "a.rs", "a.sql"])


@given(PATHS, CODE, CODE, CODE, st.data())
def test_any_code_shows_the_same_for_every_cut(
    path: str, prefix: str, suffix: str, written: str, data: st.DataObject
) -> None:
    case = Case("", path, prefix, suffix, written, "")
    whole = trimmed(case, written)
    assert whole in written
    assert trimmed(case, *cut(written, data)) == whole
    assert trimmed(case, *written) == whole


@given(st.sampled_from(["a.py", "a.js"]), st.text(max_size=60), st.text(max_size=60), st.text())
def test_takes_any_text(path: str, prefix: str, suffix: str, written: str) -> None:
    case = Case("", path, prefix, suffix, written, "")
    assert trimmed(case, *written) == trimmed(case, written)


LINES = st.lists(
    st.sampled_from(["compute(a)", "return total", "if ready:", "    go(1)", "names = [1]"]),
    min_size=1,
    max_size=5,
)


@given(LINES, st.sampled_from(["", "    "]), st.data())
def test_never_shows_only_what_follows(lines: list[str], indent: str, data: st.DataObject) -> None:
    behind = "".join(f"{indent}{line}\n" for line in lines)
    case = Case("", "a.py", f"def f():\n{indent}", "\n" + behind, behind.lstrip(), "")
    assert trimmed(case, *cut(case.written, data)) == ""


def called(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(*(inner.map(form.format) for form in ("f({})", "g[{}]", "{{{{{}}}}}")))


ARGUMENTS = st.recursive(st.sampled_from(["a", "b, c", "'d)'", "1 + 2"]), called, max_leaves=6)


@given(ARGUMENTS, st.sampled_from(["()", "[]", "{}", "(())", "([])", "({[]})"]), st.data())
def test_closes_no_bracket_that_is_closed_behind_it(
    inside: str, pairs: str, data: st.DataObject
) -> None:
    half = len(pairs) // 2
    opened, closed = pairs[:half], pairs[half:]
    more = data.draw(st.integers(0, len(closed)))
    case = Case("", "a.js", f"x = y{opened}", f"{closed}\n", inside + closed[:more], "")
    assert trimmed(case, *cut(case.written, data)) == inside


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
