"""A completion ends where it should, however its stream was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.trim import LOOP_STEP, Trimmer


def trimmed(prefix: str, suffix: str, *pieces: str) -> str:
    trimmer = Trimmer(prefix, suffix)
    shown = ""
    for piece in pieces:
        shown += trimmer.feed(piece)
        if trimmer.done:
            return shown
    return shown + trimmer.finish()


@pytest.mark.parametrize(
    ("prefix", "suffix", "written", "kept"),
    [
        # nothing to trim
        ("x = ", "\n", "1 + 2", "1 + 2"),
        ("def f(x):\n    ", "", "y = x\n    return y", "y = x\n    return y"),
        ("def f():\n    ", "\n", "pass\n", "pass\n"),
        # the rest of the cursor's line is written once more
        ("print(", ")\n", "name)", "name"),
        ("print(", ")\n", "str(name)", "str(name)"),
        ("print(", ")\n", "str(name))", "str(name)"),
        ("if ", " is None:\n", "x is None:", "x"),
        ("if ", " is None:\n", "x is None:\n    return", "x"),
        # the lines behind the cursor are written once more
        ("a = 1\n", "\nreturn a\n", "b = 2\nreturn a\n", "b = 2"),
        ("f() {\n  ", "\n}\n", "g();\n}\n", "g();"),
        ("f() {\n  ", "\n}\n", "if (x) {\n  g();\n  }\n  h();\n}", "if (x) {\n  g();\n  }\n  h();"),
        ("call(\n    ", "\n)\nnext()\n", "a,\n    b,\n)\nnext()\nmore()", "a,\n    b,"),
        ("call(", ")\n", "\n    a,\n    b,\n)", "\n    a,\n    b,\n"),
        # a line like the suffix's in the middle is no repetition
        ("f() {\n  ", "\n  }\n}\n", "if (x) {\n  }\n  y();", "if (x) {\n  }\n  y();"),
        # the block ends
        ("def f():\n    ", "\n", "return 1\n\n\ndef g():\n    pass", "return 1\n\n"),
        ("", "", "def f():\n    return 1\n\ndef g():\n    return 2", "def f():\n    return 1\n"),
        (
            "try:\n    ",
            "",
            "go()\nexcept OSError:\n    stop()",
            "go()\nexcept OSError:\n    stop()",
        ),
        # loops
        ("", "", "a = 1\n" * 9, "a = 1\na = 1\na = 1"),
        ("", "", "f(x)\ng(y)\n" * 9, "f(x)\ng(y)\n" * 2 + "f(x)\ng(y)"),
        ("x = ", "", "spam " * 90, ("spam " * 90)[:32]),
    ],
)
def test_ends_where_it_should(prefix: str, suffix: str, written: str, kept: str) -> None:
    assert trimmed(prefix, suffix, written).rstrip("\n") == kept.rstrip("\n")
    assert trimmed(prefix, suffix, *written) == trimmed(prefix, suffix, written)


def test_shows_a_line_while_it_is_written() -> None:
    trimmer = Trimmer("def f():\n    ", "\n")
    assert trimmer.feed("retu") == "retu"
    assert trimmer.feed("rn 1\n    x") == "rn 1\n    x"


CODE = st.text(alphabet="ab =(){}\n ", max_size=120)


@given(CODE, CODE, CODE, st.data())
def test_shows_a_prefix_the_same_for_every_cut(
    prefix: str, suffix: str, written: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=6)))
    pieces = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    whole = trimmed(prefix, suffix, written)
    assert written.startswith(whole)
    assert trimmed(prefix, suffix, *pieces) == whole


@given(st.text(max_size=300), st.text(max_size=100), st.text(max_size=300))
def test_takes_any_text(prefix: str, suffix: str, written: str) -> None:
    assert written.startswith(trimmed(prefix, suffix, *written))


@given(CODE, CODE, CODE)
def test_half_of_a_windows_line_end_is_never_shown(prefix: str, suffix: str, written: str) -> None:
    unix = trimmed(prefix, suffix, written)
    windows = [text.replace("\n", "\r\n") for text in (prefix, suffix, written)]
    # A line is looked at for loops in steps of its length, which one more character shifts.
    if max(map(len, written.split("\n"))) < LOOP_STEP:
        assert trimmed(*windows) == unix.replace("\n", "\r\n")
        assert trimmed(windows[0], windows[1], *windows[2]) == unix.replace("\n", "\r\n")
    assert not trimmed(windows[0], windows[1], *windows[2]).endswith("\r")
