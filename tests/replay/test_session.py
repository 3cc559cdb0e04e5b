import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.replay import SessionError, State, read
from inhouse.replay.session import (
    LARGEST,
    Accept,
    Backspace,
    Event,
    Head,
    Leave,
    Move,
    Over,
    Redo,
    Type,
    Undo,
    digest,
    parsed,
    written,
)

HEAD = b'{"session": 1, "file": "a.py", "text": "x\\n", "cursor": 1}\n'


def test_a_session_knows_what_each_event_leads_to() -> None:
    events = (
        Type(at=0.1, text="("),
        Backspace(at=0.2),
        Type(at=0.3, text="[", closes="]"),
        Over(at=0.4),
        Undo(at=0.5),
        Redo(at=0.6),
        Accept(at=0.7, part="line"),
        Move(at=0.8, to=0),
        Leave(at=0.9),
    )
    head = Head(session=1, file="a.py", text="x\n", cursor=1, ends_in=digest("x[]\n"))
    session = parsed(b"".join(written(head, events)))
    assert session.events == events
    assert session.head == head
    assert session.seconds == 0.9
    assert session.states == (
        State("x\n", 1),
        State("x(\n", 2),
        State("x\n", 1),
        State("x[]\n", 2),
        State("x[]\n", 3),
        State("x\n", 1),
        State("x[]\n", 3),
        State("x[]\n", 3),
        State("x[]\n", 0),
        State("x[]\n", 0),
    )
    assert session.reached(State("x\n", 1), 0) == 1
    assert session.reached(State("x\n", 1), 2) == 4
    assert session.reached(State("x\n", 1), 5) is None


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "line 1: "),
        (
            b'{"session": 2, "file": "a", "text": ""}',
            "line 1: Invalid enum value 2 - at",
        ),
        (b'{"session": 1, "file": "a", "text": "", "cursor": 1}', "line 1: the cursor is outside"),
        (HEAD + b'{"do": "sing", "at": 0}', "line 2: Invalid value 'sing' - at '$.do'"),
        (HEAD + b'{"do": "type", "at": 0, "text": ""}', "line 2: Expected 'str' of length >= 1"),
        (HEAD + b'{"do": "type", "at": 0, "txt": "a"}', "line 2: Object contains unknown field"),
        (HEAD + b'{"do": "backspace", "at": 0, "count": 2}', "line 2: there are no 2 characters"),
        (HEAD + b'{"do": "undo", "at": 0}', "line 2: there is nothing to undo"),
        (
            HEAD + b'{"do": "leave", "at": 2}\n{"do": "leave", "at": 1}',
            "line 3: its time is before that of line 2",
        ),
        (
            b'{"session": 1, "file": "a", "text": "", "ends_in": "x"}',
            "its events do not lead to the text that 'ends_in' names",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "typing.jsonl"
    path.write_bytes(raw)
    with pytest.raises(SessionError) as failed:
        read(path)
    assert str(failed.value).startswith(f"{path}: {said}")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "typing.jsonl"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(SessionError, match="larger than 8 MiB"):
        read(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_session_or_a_session_error(raw: bytes) -> None:
    for each in (raw, HEAD + raw):
        with contextlib.suppress(SessionError):
            parsed(each)


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=20))
def test_what_is_written_is_read(typed: list[tuple[str, str]]) -> None:
    events: tuple[Event, ...] = tuple(
        Type(at=number, text=text, closes=closes) for number, (text, closes) in enumerate(typed)
    )
    head = Head(session=1, file="a.py", text="")
    session = parsed(b"".join(written(head, events)))
    assert (session.head, session.events) == (head, events)
