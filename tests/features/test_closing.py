"""Where a suggestion closes what the editor has closed, and where it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.closing import closed


@pytest.mark.parametrize(
    ("typed", "rest", "closers"),
    [
        ("print(", "a, b", ")"),
        ("print(", "a(b), c[d]", ")"),
        ("print(a, ", "b", ")"),
        ("print(", "\")\", '('", ")"),
        ('print("', "it's (here", '")'),
        ('print("', 'say \\"no\\"', '"'),
        ("f({", "a: [1, 2]", "})"),
        ("f({", "a: {b: 1}", "}"),
        ("[", "x for x in y", "]"),
        ("{", "\n  it's;\n", "}"),
        ("f(a) + g(", "b", ")"),
        ("`${", "a", "}"),
    ],
)
def test_it_ends_before_what_the_editor_has_closed(typed: str, rest: str, closers: str) -> None:
    for behind in ("", " + c", ")", "\n"):
        text = typed + rest + closers + behind
        assert closed(text, len(typed), closers) == len(typed + rest)


@pytest.mark.parametrize(
    ("text", "at", "closers"),
    [
        ("foo(a)", 3, ")"),
        ("foo(a)", 4, "]"),
        ("foo(a)", 4, ""),
        ("foo(a", 4, ")"),
        ("foo()bar)", 5, ")"),
        ("f({a}, b)", 3, "})"),
        ("f({a})", 3, ")"),
        ("f('a', b)", 3, ")"),
        ('f("a', 3, '"'),
        ("a)", 0, ")"),
        ("", 0, ")"),
        ("foo(a)", 6, ")"),
    ],
)
def test_it_closes_nothing_else(text: str, at: int, closers: str) -> None:
    assert closed(text, at, closers) is None


@given(
    text=st.text(alphabet="ab([{)]}\"'`\\\n", max_size=30),
    at=st.integers(0, 30),
    closers=st.text(alphabet=")]}\"'`", max_size=4),
)
def test_what_closes_is_there(text: str, at: int, closers: str) -> None:
    stop = closed(text, at, closers)
    if stop is not None:
        assert at <= stop
        assert text.startswith(closers, stop)


def test_a_model_that_repeats_itself_keeps_nobody_waiting() -> None:
    """Each of these quotes might begin a string, and none of them ends."""
    text = "(" + '"' + '\\"' * 20_000 + "\n)"
    assert closed(text, 1, ")") == len(text) - 1
