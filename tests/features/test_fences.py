"""A generation is code only, however the model wraps it and the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.fences import CodeOnly
from inhouse.features.reasoning import Unthinking


def code_only(*pieces: str) -> str:
    strip = Unthinking(CodeOnly)
    shown = ""
    for piece in pieces:
        shown += strip.feed(piece)
        if strip.done:
            return shown
    return shown + strip.finish()


CODE = "def add(a, b):\n    return a + b"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        (CODE, CODE),
        (CODE + "\n", CODE),
        (f"```python\n{CODE}\n```", CODE),
        (f"```\n{CODE}\n```\nThis adds two numbers.", CODE),
        (f"Here is the function:\n\n```python\n{CODE}\n```\n\nIt adds.", CODE),
        (f"Sure! Here is a function that adds two numbers:\n{CODE}", CODE),
        (f"{CODE}\n```\nThis adds.", CODE),
        (f"<think>\nThe user wants ```code```.\n</think>\n\n```py\n{CODE}\n```", CODE),
        (f"<think>short</think>{CODE}", CODE),
        ("````markdown\n```python\nx = 1\n```\n````\n", "```python\nx = 1\n```"),
        ("~~~\nx = 1\n~~~", "x = 1"),
        ("```python\nx = 1", "x = 1"),
        ("```python\n```", ""),
        ("I cannot help with that request, sorry.", ""),
        ("Sure!\n\n```\nx = 1\n```", "x = 1"),
        ("The function below adds\ntwo numbers:\n```\nx = 1\n```", "x = 1"),
        ("Jobs:\n  build: 1", None),
        ("hello", None),
        ("", ""),
        ("# A comment in prose that ends like a sentence.\nx = 1", None),
        ("    indented()\n    more()", None),
        ("SELECT name FROM people WHERE age > 3;", None),
        ("import os\nimport sys", None),
        ("<div>\n  <p>Hello there, world.</p>\n</div>", None),
        ("key: value\nother: 1", None),
        ("x = `echo`\ny = 1", None),
        ("int main(void)\n{\n  return 0;\n}", None),
        ("return a + b", None),
    ],
)
def test_keeps_the_code(written: str, code: str | None) -> None:
    expected = written if code is None else code
    assert code_only(written) == expected
    assert code_only(*written) == expected


def test_a_closing_fence_may_have_blanks_behind_it() -> None:
    assert code_only("```\nx = 1\n``` \nDone.") == "x = 1"
    assert code_only(*"```\nx = 1\n``` \nDone.") == "x = 1"


def test_shows_code_while_it_is_written() -> None:
    strip = CodeOnly()
    assert strip.feed("```python\nx = ") == "x = "
    assert strip.feed("1\n") == "1"
    assert strip.feed("y") == "\ny"


PIECES = st.lists(
    st.sampled_from(["```", "`", "\n", "x = 1", "Here it is.", " ", "~~~", "<think>", "</think>"])
)


@given(PIECES, st.data())
def test_is_the_same_for_every_cut(pieces: list[str], data: st.DataObject) -> None:
    written = "".join(pieces)
    at = data.draw(st.integers(0, len(written)))
    assert code_only(written) == code_only(written[:at], written[at:]) == code_only(*written)


@given(st.text(alphabet="ab\n ", max_size=60))
def test_gives_a_fenced_block_back(code: str) -> None:
    assert code_only(f"Here you are:\n```\n{code}\n```\nDone.") == code.rstrip("\n")


@given(PIECES)
def test_half_of_a_windows_line_end_is_never_shown(pieces: list[str]) -> None:
    written = "".join(pieces)
    expected = code_only(written).replace("\n", "\r\n")
    windows = written.replace("\n", "\r\n")
    assert code_only(windows) == code_only(*windows) == expected
