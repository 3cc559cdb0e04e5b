"""Brackets and quotation marks that a completion closes although the code behind does so already.

Editors insert the closing half of a pair, and a model often writes it once more. What is inside
strings on one line does not count; an apostrophe that is none opens none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LOOKED_AT = 3000
"""Characters before and behind the cursor in which halves of pairs are looked for."""

_TOKEN = re.compile(r"[()\[\]{}\"'\\]")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_NO_QUOTE_BEHIND = re.compile(r"[\w&<]")
_TRIPLE = ('"""', "'''")
_STRING_MARK = re.compile(r"(?<!\w)[rbfuRBFU]{1,2}\Z")


class Line:
    """Reads one growing line: how deep it is in brackets, and in which string."""

    def __init__(self, quote: str = "", before: str = "") -> None:
        """Begin in a string where `quote` says so; `before` stands before the line's start."""
        self.quote = quote
        self._before = before
        self._at = 0
        self._escaped = -1

    def read(self, line: str) -> Iterator[tuple[int, str]]:
        """Yield what is new of the line: its brackets, and the quotation marks that matter.

        `quote` is as it is behind the last mark that was yielded.
        """
        start, self._at = self._at, len(line)
        for match in _TOKEN.finditer(line, start):
            at, mark = match.start(), match[0]
            if at == self._escaped:
                continue
            if mark == "\\":
                self._escaped = at + 1
            elif self.quote:
                if mark == self.quote:
                    self.quote = ""
                    yield at, mark
            elif mark in "\"'":
                if mark == '"' or self._opens(line, at):
                    self.quote = mark
                    yield at, mark
            else:
                yield at, mark

    def _opens(self, line: str, at: int) -> bool:
        """Tell whether an apostrophe opens a string: no lifetime, and no word's."""
        before = line[at - 1] if at else self._before
        if _NO_QUOTE_BEHIND.match(before) is None:
            return True
        return _STRING_MARK.search(line, 0, at) is not None


class Balance:
    """Watches the lines of one completion for the first half of a pair too many."""

    def __init__(self, prefix: str, suffix: str) -> None:
        """Learn what is open on the cursor's line; the rest is looked at when it matters."""
        self._prefix = prefix
        self._suffix = suffix
        head = prefix[-LOOKED_AT:].rpartition("\n")[2]
        line = Line()
        self.opened = _depth(line, head)
        """Brackets that the cursor's line leaves open."""
        self._own: list[str] = []
        self._closed: list[str] = []
        self.over: int | None = None
        """Where in the line one half too many begins, as long as nothing makes it good."""
        self._start = line.quote, head[-1:]
        self._line = Line(*self._start)
        rest = suffix[:LOOKED_AT].partition("\n")[0]
        many = rest.startswith(_TRIPLE)
        self._string = line.quote if line.quote and line.quote in rest and not many else ""
        self._spare: int | None = None
        self._before: tuple[list[str], list[str], int | None] = ([], [], None)

    def read(self, line: str) -> int | None:
        """Take the line of the completion as it has grown; return `over`."""
        self._count(self._line.read(line))
        return self.over

    def opened_by(self, begun: str) -> int:
        """Return how many brackets the first line has open behind such a part of it."""
        return _depth(Line(*self._start), begun)

    def read_again(self, code: str) -> None:
        """Take the line anew, without the marks that are none; a string of the editor's stays."""
        if self._string:
            return
        own, closed, self.over = self._before
        self._own, self._closed = list(own), list(closed)
        self._count(Line().read(code))

    def _count(self, marks: Iterator[tuple[int, str]]) -> None:
        for at, mark in marks:
            if mark in "([{":
                self._open(mark)
            elif mark in ")]}":
                self._close(_PAIRS[mark])
            if not self._is_over():
                self.over = None
            elif self.over is None:
                self.over = at

    @property
    def depth(self) -> int:
        """Brackets that the completion has opened, less those that it has closed."""
        return len(self._own) - len(self._closed)

    def next_line(self) -> None:
        """Begin a new line: strings end with theirs. What is too much stays so."""
        self._line = Line()
        self._string = ""
        self.over = None if self.over is None else 0
        self._before = (list(self._own), list(self._closed), self.over)

    def _open(self, mark: str) -> None:
        # What was closed and is opened again is as it was: ``} else {``, ``).then(``.
        if not self._own and self._closed and self._closed[-1] == mark:
            self._closed.pop()
        else:
            self._own.append(mark)

    def _close(self, mark: str) -> None:
        if self._own:
            self._own.pop()
        else:
            self._closed.append(mark)

    def _is_over(self) -> bool:
        if self._string and self._line.quote != self._string:
            return True
        return bool(self._closed) and len(self._closed) > self._spared()

    def _spared(self) -> int:
        """Return how many brackets the completion may close that were open before it."""
        if self._spare is None:
            self._spare = spare(self._prefix[-LOOKED_AT:], self._suffix[:LOOKED_AT])
        return self._spare


def _depth(line: Line, text: str) -> int:
    """Return how many brackets are open behind a text."""
    depth = 0
    for _, mark in line.read(text):
        depth = depth + 1 if mark in "([{" else max(0, depth - (mark in ")]}"))
    return depth


class _Bracket(NamedTuple):
    mark: str
    indent: int
    own_line: bool
    """Whether it stands on the cursor's line, or, if it closes, first on its own."""


def spare(prefix: str, suffix: str) -> int:
    """Return how many of the brackets open at the cursor the suffix leaves open.

    Where it closes nothing, it may have been cut off, and every bracket may be closed. A closing
    bracket at the start of a line belongs to a line that is indented no deeper.
    """
    closers = _closers(suffix)
    if not closers:
        return LOOKED_AT
    opened = _opened(prefix)
    spared = 0
    matched = False
    for closer in closers:
        if not opened or (matched and not opened[-1].own_line):
            return spared
        while opened:
            top = opened.pop()
            inner = closer.own_line and closer.indent < top.indent
            if top.mark == _PAIRS[closer.mark] and not inner:
                break
            spared += 1
        matched = True
    return spared + sum(each.own_line for each in opened)


def _opened(prefix: str) -> list[_Bracket]:
    lines = prefix.split("\n")
    opened: list[_Bracket] = []
    for number, line in enumerate(lines, 1):
        for _, mark in Line().read(line):
            if mark in "([{":
                indent = len(line) - len(line.lstrip())
                opened.append(_Bracket(mark, indent, number == len(lines)))
            elif mark in ")]}" and opened and opened[-1].mark == _PAIRS[mark]:
                opened.pop()
    return opened


def _closers(suffix: str) -> list[_Bracket]:
    """Return the brackets of a suffix that close what it has not opened."""
    depth = 0
    closers: list[_Bracket] = []
    for number, line in enumerate(suffix.split("\n")):
        indent = len(line) - len(line.lstrip())
        for at, mark in Line().read(line):
            if mark in "([{":
                depth += 1
            elif mark in ")]}":
                if depth:
                    depth -= 1
                else:
                    closers.append(_Bracket(mark, indent, bool(number) and at == indent))
    return closers
