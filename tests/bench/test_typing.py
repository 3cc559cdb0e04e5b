"""The typing sessions of the bench, and what makes them."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inhouse.replay import read
from inhouse.replay.session import Accept, Over, Type, digest, parsed, written

TYPING = Path(__file__).resolve().parents[2] / "bench" / "typing"
SESSIONS = sorted(TYPING.glob("*.jsonl"))
LARGEST = 200_000
MADE: dict[str, Any] = runpy.run_path(str(TYPING / "generate.py"))

LINES = st.lists(st.text(alphabet="ab ()[]{}=:\t", max_size=12), min_size=11, max_size=40)
"""Of files long enough for a block to be taken out."""


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name)
def test_a_session_of_the_bench_is_one(path: Path) -> None:
    session = read(path)
    assert session.head.ends_in == digest(session.states[-1].text)
    assert {Type, Over, Accept} <= {type(each) for each in session.events}
    assert path.stat().st_size < LARGEST
    assert f"| `{path.name}` | `{session.head.file}`" in (TYPING / "README.md").read_text()


@settings(max_examples=300)
@example(lines=["a [ (] )"] * 20, seed=0, marks=False)
@given(lines=LINES, seed=st.integers(0, 1000), marks=st.booleans())
def test_what_is_made_leads_to_the_file(lines: list[str], seed: int, marks: bool) -> None:
    text = "\n".join(lines)
    head, events = MADE["session"]("a.py", text, seed=seed, count=4, marks=marks)
    session = parsed(b"".join(written(head, events)))
    assert session.states[-1].text == text
    again = MADE["session"]("a.py", text, seed=seed, count=4, marks=marks)
    assert again == (head, events)


def test_what_is_marked_is_what_the_line_goes_on_with() -> None:
    text = "\n".join(f"value_{number} = compute({number}, other)" for number in range(30))
    _, events = MADE["session"]("a.py", text, seed=1, count=2, marks=True)
    marked = [each.right for each in events if each.right]
    assert marked
    assert all(any(line.endswith(each) for line in text.split("\n")) for each in marked)
