"""A typing session as a file: JSON lines, the first about the file, then one an event.

``bench/typing/README.md`` describes the format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inhouse.errors import InhouseError
from inhouse.replay.buffer import Buffer, State

LARGEST = 8 * 1024 * 1024
"""Bytes of a session: each of its states is kept in memory."""

Position = Annotated[int, Meta(ge=0)]


class SessionError(InhouseError):
    """A file is no session; the message names its line."""


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first line: what is edited, and where the cursor stands.

    `file` is the path that the gateway is told, relative to the project. `ends_in` is the SHA-256
    of the final text in UTF-8, where the session says so. `about` is for people.
    """

    session: Literal[1]
    file: str
    text: str
    cursor: Position = 0
    ends_in: str = ""
    about: str = ""


class Moment(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="do",
):
    """When an event happens, in seconds from the beginning, and what is right behind it.

    `right` begins with what a suggestion at the cursor must say, as far as the session knows.
    """

    at: Annotated[float, Meta(ge=0)]
    right: str = ""


class Type(Moment, frozen=True, tag="type"):
    """A key that inserts `text`: one character, or a line break with the editor's indent.

    `closes` is the bracket or quote that the editor adds behind the cursor.
    """

    text: Annotated[str, Meta(min_length=1)]
    closes: str = ""


class Over(Moment, frozen=True, tag="over"):
    """The key of the closing character that the editor has already put behind the cursor."""


class Backspace(Moment, frozen=True, tag="backspace"):
    """Take `count` characters away."""

    count: Annotated[int, Meta(ge=1)] = 1


class Undo(Moment, frozen=True, tag="undo"):
    """Take the last edit back."""


class Redo(Moment, frozen=True, tag="redo"):
    """Do it again."""


class Move(Moment, frozen=True, tag="move"):
    """Put the cursor somewhere else."""

    to: Position


class Accept(Moment, frozen=True, tag="accept"):
    """Take what is shown, or its first `line`, where the session goes on to write just that."""

    part: Literal["all", "line"] = "all"


class Leave(Moment, frozen=True, tag="leave"):
    """Turn to something else: nothing is shown or waited for any longer."""


Event = Type | Over | Backspace | Undo | Redo | Move | Accept | Leave
KEYS = (Type, Over, Backspace, Undo, Redo)
"""What is a keystroke whatever the editor shows; accepting is one where it is done."""
EDITS = (Type, Over, Backspace, Undo, Redo)
"""Behind which an editor asks."""

_head = msgspec.json.Decoder(Head)
_event = msgspec.json.Decoder(Event)


class Session(Struct, frozen=True, kw_only=True):
    """What somebody types into a file; `states` has one more than `events`: the first.

    ``states[n + 1]`` is what event n leads to where nothing is accepted.
    """

    head: Head
    events: tuple[Event, ...]
    states: tuple[State, ...]

    @property
    def seconds(self) -> float:
        """How long it takes without suggestions."""
        return self.events[-1].at if self.events else 0.0

    def reached(self, state: State, after: int) -> int | None:
        """Return the first event from `after` on that leads to `state`, None where none does."""
        for number in range(after, len(self.events)):
            if self.states[number + 1] == state:
                return number
        return None


def read(path: Path) -> Session:
    """Read a session; raises `SessionError`, or `OSError` where there is no such file."""
    if path.stat().st_size > LARGEST:
        raise SessionError(f"{path} is larger than {LARGEST // 1_048_576} MiB: no session.")
    try:
        return parsed(path.read_bytes())
    except SessionError as error:
        raise SessionError(f"{path}: {error}") from None


def parsed(raw: bytes) -> Session:
    """Return the session in the bytes of a file; raises `SessionError`."""
    lines = raw.splitlines()
    number = 1
    try:
        head = _head.decode(lines[0] if lines else b"")
        buffer = Buffer(State(head.text, head.cursor))
        events: list[Event] = []
        states = [buffer.state]
        for number, line in enumerate(lines[1:], 2):
            event = _event.decode(line)
            if events and event.at < events[-1].at:
                raise SessionError(f"line {number}: its time is before that of line {number - 1}.")
            perform(event, buffer)
            events.append(event)
            states.append(buffer.state)
    except (ValueError, msgspec.DecodeError) as error:
        what = str(error).replace("`", "'").rstrip(".")
        raise SessionError(f"line {number}: {what}.") from None
    if head.ends_in and digest(buffer.state.text) != head.ends_in:
        raise SessionError("its events do not lead to the text that 'ends_in' names.")
    return Session(head=head, events=tuple(events), states=tuple(states))


def perform(event: Event, buffer: Buffer) -> None:
    """Do in `buffer` what an event does where no suggestion is shown; raises `ValueError`."""
    match event:
        case Type():
            buffer.type(event.text, event.closes)
        case Over():
            buffer.over()
        case Backspace():
            buffer.backspace(event.count)
        case Undo():
            buffer.undo()
        case Redo():
            buffer.redo()
        case Move():
            buffer.move(event.to)
        case Accept() | Leave():
            pass


def digest(text: str) -> str:
    """Return what ``ends_in`` holds."""
    return hashlib.sha256(text.encode()).hexdigest()


def written(head: Head, events: tuple[Event, ...]) -> Iterator[bytes]:
    """Yield the lines of a session's file."""
    for each in (head, *events):
        yield msgspec.json.encode(each) + b"\n"
