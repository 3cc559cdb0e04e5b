"""Make a typing session over a file of this repository.

python bench/typing/generate.py src/inhouse/transport/pool.py --seed 1 > bench/typing/pool.jsonl

Some blocks of lines are taken out of the file, and typed in again from top to bottom. README.md
describes what is drawn, and from which distributions. The same file, seed and options give the same
session, whatever the machine.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from pathlib import Path

from inhouse.replay.buffer import Buffer, State
from inhouse.replay.session import (
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
    perform,
    written,
)

KEY = (0.17, 0.45)
"""Median and spread of the pauses between keys: log-normal, in seconds."""
THOUGHT = (0.9, 0.5)
"""Of those before a word, a line or a block where somebody thinks."""
REACTION = (0.35, 0.25)
"""From the last key to a glance at what is shown, or at a slip."""
THINKS_BEFORE_WORD = 0.15
THINKS_BEFORE_LINE = 0.5
LOOKS = 0.6
"""How often somebody who thinks accepts what is shown, if it is what they would write."""
WHOLE = 0.5
"""How often all of it; else its first line."""
SLIPS = 0.02
"""How often a letter is missed, noticed at once, and corrected."""
DETOURS = 0.03
"""How often a word is begun otherwise, and undone."""
REGRETS = 0.3
"""How often the undone is brought back for a moment."""
DETOUR = "tmp"
NEIGHBOURS = "qwertyuiop", "asdfghjkl", "zxcvbnm"
CLOSING = {"(": ")", "[": "]", "{": "}"}
FEWEST, MOST = 3, 9
"""Lines of a block."""


class Typist:
    """Types at a cursor, and remembers how."""

    def __init__(self, start: State, choose: random.Random, *, marks: bool) -> None:
        """`marks` says that what is right is written down."""
        self.events: list[Event] = []
        self.buffer = Buffer(start)
        self._choose = choose
        self._marks = marks
        self._at = 0.0
        self._closed: list[str] = []

    def go(self, to: int) -> None:
        """Begin somewhere else."""
        self._think()
        self._do(Move(at=self._at, to=to))

    def write(self, text: str) -> None:
        """Type `text`, with slips and detours."""
        at = 0
        while at < len(text):
            at += self._key(text, at)
        self._think()
        self._do(Leave(at=self._at))

    def _key(self, text: str, at: int) -> int:
        """Type the next character, or a line break with its indent; return how many they are."""
        character, rest = text[at], text[at:]
        begins_word = character.isalpha() and not text[at - 1 : at].isalnum()
        begins_line = at > 0 and text[:at].rpartition("\n")[2].isspace()
        if self._often(THINKS_BEFORE_LINE if begins_line else THINKS_BEFORE_WORD * begins_word):
            self._think(looks=True)
        if begins_word and self._often(DETOURS):
            self._detour()
        if character.isalpha() and self._often(SLIPS):
            self._slip(character)
        self._pause(KEY)
        indent = _indent(rest[1:]) if character == "\n" else 0
        typed = rest[: 1 + indent]
        right = rest[len(typed) :].partition("\n")[0] if self._marks else ""
        if self._closed and self._closed[-1] == character:
            self._closed.pop()
            self._do(Over(at=self._at, right=right))
            return 1
        closes = self._closes(rest)
        self._do(Type(at=self._at, text=typed, closes=closes, right="" if closes else right))
        return len(typed)

    def _closes(self, rest: str) -> str:
        """Return what the editor closes: a bracket at a line's end whose pair is in the line.

        What stands between the two is balanced, so that what was closed last is typed over first.
        """
        behind = self.buffer.state.suffix[:1]
        if rest[0] not in CLOSING or behind not in {"", "\n", *CLOSING.values()}:
            return ""
        expected: list[str] = []
        for character in rest.partition("\n")[0]:
            if character in CLOSING:
                expected.append(CLOSING[character])
            elif character in CLOSING.values() and expected.pop() != character:
                return ""
            if not expected:
                self._closed.append(character)
                return character
        return ""

    def _detour(self) -> None:
        for character in DETOUR:
            self._pause(KEY)
            self._do(Type(at=self._at, text=character))
        self._pause(REACTION)
        self._do(Undo(at=self._at))
        if self._often(REGRETS):
            self._pause(REACTION)
            self._do(Redo(at=self._at))
            self._pause(REACTION)
            self._do(Undo(at=self._at))
        for _ in DETOUR[1:]:
            self._pause(KEY)
            self._do(Undo(at=self._at))

    def _slip(self, character: str) -> None:
        row = next((each for each in NEIGHBOURS if character.lower() in each), NEIGHBOURS[0])
        wrong = row[(row.find(character.lower()) + 1) % len(row)]
        self._pause(KEY)
        self._do(Type(at=self._at, text=wrong))
        self._pause(REACTION)
        self._do(Backspace(at=self._at))

    def _think(self, *, looks: bool = False) -> None:
        if looks and self._often(LOOKS):
            self._pause(THOUGHT)
            part = "all" if self._often(WHOLE) else "line"
            self._do(Accept(at=self._at, part=part))
            self._pause(REACTION)
        else:
            self._pause(THOUGHT)

    def _pause(self, drawn: tuple[float, float]) -> None:
        median, spread = drawn
        seconds = self._choose.lognormvariate(math.log(median), spread)
        self._at = round(self._at + seconds, 3)

    def _often(self, share: float) -> bool:
        return self._choose.random() < share

    def _do(self, event: Event) -> None:
        perform(event, self.buffer)
        self.events.append(event)


def blocks(text: str, count: int, choose: random.Random) -> list[tuple[int, int]]:
    """Return where blocks of code begin and end in `text`, from top to bottom, none touching.

    Each begins at the first character of a line behind its indent, and ends at a line's end.
    """
    lines = text.split("\n")
    starts = [sum(len(each) + 1 for each in lines[:number]) for number in range(len(lines))]
    free = set(range(1, len(lines) - MOST))
    found: list[tuple[int, int]] = []
    while free and len(found) < count:
        first = choose.choice(sorted(free))
        last = first + choose.randint(FEWEST, MOST) - 1
        free -= set(range(first - MOST, last + 2))
        if lines[first].strip() and lines[last].strip():
            begin = starts[first] + _indent(lines[first])
            found.append((begin, starts[last] + len(lines[last].rstrip())))
    return sorted(found)


def session(
    path: str, text: str, *, seed: int, count: int, marks: bool
) -> tuple[Head, tuple[Event, ...]]:
    """Return a session over `text`."""
    choose = random.Random(seed)  # noqa: S311 -- the same session each time, no secret
    taken = blocks(text, count, choose)
    start, at = "", 0
    for begin, end in taken:
        start, at = start + text[at:begin], end
    start += text[at:]
    typist = Typist(State(start, 0), choose, marks=marks)
    for begin, end in taken:
        # What was above is there again, so that places are those of the whole file.
        typist.go(begin)
        typist.write(text[begin:end])
    if typist.buffer.state.text != text:
        raise RuntimeError("The session does not lead to the file that it is of.")
    about = f"generated from {path} with seed {seed}"
    head = Head(session=1, file=path, text=start, ends_in=digest(text), about=about)
    return head, tuple(typist.events)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def main() -> None:
    """Write a session to standard output."""
    parser = argparse.ArgumentParser(description="Make a typing session over a file.")
    parser.add_argument("file", help="path relative to the repository, as the gateway is told it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=8, help="blocks that are typed (8)")
    parser.add_argument(
        "--marks", action="store_true", help="mark the rest of each line as what is right"
    )
    given = parser.parse_args()
    text = Path(given.file).read_text(encoding="utf-8")
    head, events = session(given.file, text, seed=given.seed, count=given.blocks, marks=given.marks)
    for line in written(head, events):
        sys.stdout.buffer.write(line)


if __name__ == "__main__":
    main()
