"""Where an answer meets the cursor: its first line goes on there, the others keep its indentation.

A chat model writes its block at the margin, or with the indentation of the file, or one of its own.
A `Seam` moves the block so that its first line stands at the cursor's column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

TAB = 4
_OPENED = re.compile(r"(?:[({\[:]|=>|->|\bdo|\bthen|\bbegin|\belse)\s*\Z")
_BRACKET_OPENED = re.compile(r"[({\[:]\s*\Z")
_CLOSER = re.compile(r"\s*(?:[)\]}>]|(?:end|else|elif|except|finally|catch|fi|done|esac)\b)")
_LEAVER = re.compile(r"\s*(?:return|raise|throw|break|continue|pass|exit|goto)\b")
_DEFINITION = re.compile(
    r"\s*(?:@|#\[|(?:async|def|class|func|fn|function|pub|public|private|protected|static|export"
    r"|import|from|const|type|struct|enum|impl|trait|interface|module|namespace|template|void|int)"
    r"\b)"
)


class _State(Enum):
    BLANK = "before the first character"
    FIRST = "in the first line"
    DECIDING = "looking at the second line"
    MOVED = "every line is moved alike"


class Seam:
    """Fits one streamed answer in at the end of `prefix`."""

    def __init__(self, prefix: str, placed: Callable[[], bool] = lambda: False) -> None:
        """Learn the cursor's line and whether a block has just been opened.

        `placed` tells that the answer's lines stand where the file's do.
        """
        self._placed = placed
        head = prefix.rpartition("\n")[2]
        self._head = head
        self._indent = head[: len(head) - len(head.lstrip())]
        self._empty = not head.strip()
        above = prefix[: len(prefix) - len(head)].rstrip()
        last = above.rpartition("\n")[2]
        self._deeper = (
            self._empty
            and _OPENED.search(last) is not None
            and _width(last) >= _width(self._indent)
        )
        self._state = _State.BLANK
        self._first = ""
        self._held = ""
        self._adds = ""
        self._drops = 0
        self._at_start = False
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return it where it belongs."""
        shown: list[str] = []
        while text:
            match self._state:
                case _State.BLANK:
                    text = self._blank(text, shown)
                case _State.FIRST:
                    piece, newline, text = text.partition("\n")
                    self._first += piece
                    shown.append(piece)
                    if newline:
                        self._leave_first()
                        text = "\n" + text
                case _State.DECIDING:
                    text = self._decide(text, shown, whole=False)
                case _State.MOVED:
                    shown.append(self._move(text))
                    text = ""
        return "".join(shown)

    def finish(self) -> str:
        """Return what was held."""
        shown: list[str] = []
        if self._state is _State.DECIDING and self._held:
            held, self._held = self._held, ""
            rest = self._decide(held, shown, whole=True)
            shown.append(self._move(rest))
        if self._state is _State.MOVED:
            shown.append(self._held)
            self._held = ""
        return "".join(shown)

    def _blank(self, text: str, shown: list[str]) -> str:
        """Hold blanks until the first character tells what to do with them."""
        self._held += text
        rest = self._held.lstrip()
        if not rest:
            return ""
        blanks, self._held = self._held[: len(self._held) - len(rest)], ""
        shown.append(self._joint(blanks))
        self._state = _State.FIRST
        return rest

    def _joint(self, blanks: str) -> str:
        """Return what of the blanks before the first character is shown."""
        own = blanks.rpartition("\n")[2]
        broken = "\n" in blanks
        if not self._empty:
            return self._joint_in_line(blanks, own, broken=broken)
        wide, column = _width(own), _width(self._indent)
        if self._deeper and wide:
            if wide <= column:
                self._adds = own
                return own
            return own.removeprefix(self._indent)
        if not column:
            return own
        if wide > column:
            self._drops = len(own) - len(self._indent)
        elif 0 < wide < column:
            self._adds = self._indent.removeprefix(own)
        return ""

    def _joint_in_line(self, blanks: str, own: str, *, broken: bool) -> str:
        waits = self._head[-1].isspace()
        opened = _BRACKET_OPENED.search(self._head) is not None
        if broken:
            return blanks if opened or not waits else ""
        if opened and _width(own) > _width(self._indent) + 1:
            return "\n" + own
        return "" if waits else own[:1]

    def _leave_first(self) -> None:
        """Decide whether the lines below need a look, or are moved as the first one was."""
        known = self._adds or self._drops or not self._indent or self._placed()
        self._state = _State.MOVED if known else _State.DECIDING

    def _decide(self, text: str, shown: list[str], *, whole: bool) -> str:
        """Find out from the second line whether the block was written at the margin."""
        self._held += text
        body = self._held.lstrip("\n")
        line, newline, _ = body.partition("\n")
        if not line.strip() and not whole:
            if newline:
                # A blank line tells nothing; it is looked past.
                at = len(self._held) - len(body) + len(line)
                shown.append(self._held[:at])
                self._held = self._held[at:]
                return self._decide("", shown, whole=False)
            return ""
        if not newline and not whole:
            return ""
        if self._is_at_margin(line, gap=self._held.startswith("\n\n")):
            self._adds = self._indent
        held, self._held = self._held, ""
        self._state = _State.MOVED
        return held

    def _is_at_margin(self, line: str, *, gap: bool) -> bool:
        column, wide = _width(self._indent), _width(line)
        opened = _OPENED.search(self._head + self._first) is not None
        if opened:
            return wide < column or (wide == column and _CLOSER.match(line) is None)
        if wide >= column or _CLOSER.match(line) or _LEAVER.match(self._head + self._first):
            return False
        return not (gap and _DEFINITION.match(line))

    def _move(self, text: str) -> str:
        """Move each line; blanks at its start are held until its first character."""
        if not self._adds and not self._drops:
            held, self._held = self._held, ""
            return held + text
        shown: list[str] = []
        for piece in re.split(r"(\n)", text):
            if piece == "\n":
                shown.append(self._held.rstrip(" \t") + "\n")
                self._held, self._at_start = "", True
            elif self._at_start:
                self._held += piece
                rest = self._held.lstrip(" \t")
                if rest:
                    own = self._held[: len(self._held) - len(rest)]
                    shown.append(self._adds + own[min(self._drops, len(own)) :] + rest)
                    self._held, self._at_start = "", False
            else:
                shown.append(piece)
        return "".join(shown)


def _width(line: str) -> int:
    """Return the columns that a line is indented by."""
    return len(line.expandtabs(TAB)) - len(line.expandtabs(TAB).lstrip())
