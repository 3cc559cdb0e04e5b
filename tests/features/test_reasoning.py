"""Reasoning is left out of an answer, whatever tags it has, and however the stream was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.reasoning import Unthinking


class Lines:
    """Shows whole lines, but none that begins with a question mark."""

    def __init__(self) -> None:
        self.done = False
        self._line = ""

    def feed(self, text: str) -> str:
        *lines, self._line = (self._line + text).split("\n")
        return "".join(f"{line}\n" for line in lines if not line.startswith("?"))

    def finish(self) -> str:
        return "" if self._line.startswith("?") else self._line


def answered(*pieces: str) -> str:
    shaper = Unthinking(Lines)
    shown = "".join(shaper.feed(piece) for piece in pieces)
    return shown + shaper.finish()


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("x", "x"),
        ("", ""),
        ("<think>a</think>x", "x"),
        ("\n <think>\na\nb\n</think>\n\nx\n", "x\n"),
        ("<think>a</think>\n\n    x", "    x"),
        ("<THINK>a</Think>x", "x"),
        ("<thinking>a</thinking>x", "x"),
        ("<thought>a</thought>x", "x"),
        ("<reasoning>a</reasoning>x", "x"),
        ("[THINK]a[/THINK]x", "x"),
        ("<think>a</think><think>b</think>x", "x"),
        ("<think>a", ""),
        ("<think>a\nb</thin", ""),
        ("<thin", "<thin"),
        ("<thing>x", "<thing>x"),
        ("? a\n? b</think>\nx", "x"),
        ("? a</think>? b</think>x", "x"),
        ("a\n</think>\nx", "a\n</think>\nx"),
        ("x </think", "x </think"),
        ("  x", "  x"),
    ],
)
def test_leaves_reasoning_out(written: str, answer: str) -> None:
    assert answered(written) == answer
    assert answered(*written) == answer


PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<th", "</", "ink>", "[/THINK]", "?", "a", "\n", " "]),
    max_size=12,
)


@given(PIECES, st.data())
def test_is_the_same_for_every_cut(pieces: list[str], data: st.DataObject) -> None:
    written = "".join(pieces)
    at = data.draw(st.integers(0, len(written)))
    assert answered(written) == answered(written[:at], written[at:]) == answered(*written)
