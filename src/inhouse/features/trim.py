"""Where a completion ends: before the suffix repeats, at the end of the block, in a loop.

A model is asked to fill a hole and often goes on: it writes the code behind the cursor once more,
leaves the block, closes brackets that are closed, or repeats itself. A `Trimmer` sees the text as
it streams, shows what is certain, and says when the rest is not wanted. What it shows is always a
prefix of what the model wrote, and the same however the stream was cut into pieces: whatever is
decided within a line is decided by what no later character of it can change, and what is decided
at its end knows only how much of it had been certain.

How much is wanted depends on the place. Where code follows on the cursor's line, one line; within a
statement, the statement with the block that it opens; on a line of its own, the block around it.
"""

from __future__ import annotations

import re

from inhouse.features.trimming.behind import Behind
from inhouse.features.trimming.brackets import Balance
from inhouse.features.trimming.cursor import (
    block_above,
    goes_on,
    has_statements,
    in_statement,
    indent,
)
from inhouse.features.trimming.leading import Leading
from inhouse.features.trimming.loops import LOOP_STEP, Loops, loops_inside
from inhouse.features.trimming.rest import Rest
from inhouse.features.trimming.sentinel import Sentinel
from inhouse.features.trimming.syntax import Shapes, Syntax, syntax_of

__all__ = ["LOOP_STEP", "Trimmer", "Trimming"]

BEHIND_CHARACTERS = 4000
"""As much of the suffix is compared; a run is sure long before."""

_CLOSER = re.compile(
    r"\s*(?:[)\]}>;,]|\*/|-->"
    r"|(?:end|else|elif|elsif|elseif|except|finally|catch|rescue|ensure)\b"
    r"|(?:fi|done|esac)\b(?!\s*[=.(\[])"
    r"|#(?:if|ifdef|ifndef|else|elif|endif|define|undef|pragma)\b)"
)
_BEGUN = re.compile(r"\s*(?:\w+[^\w\s]|\w+\s+\S|\w{9}|[^\w\s#][^\r]{2}|#(?:\W|\w+\W|\w{8}))")
"""Enough of a line to tell whether it is a closer, or goes on with a statement."""
_SECOND_HALF = re.compile(r"\s*(?:(?:else|catch|finally)\b|\{)")
"""A line that opens a block again."""
_HALVES = ("else", "catch", "finally", "{")
_PLAIN = re.compile(r"[^\n\r()\[\]{}\"'\\]*[^\s()\[\]{}\"'\\]")
"""Text that changes nothing but the length of a line that is being shown."""


class Trimming:
    """What a completion goes through last: sentinels, doubled blanks, and a `Trimmer`."""

    def __init__(
        self,
        prefix: str,
        suffix: str,
        path: str = "",
        language: str = "",
        *,
        syntax: Syntax | None = None,
    ) -> None:
        """Begin before the first piece of a completion between `prefix` and `suffix`.

        Without a `syntax`, what is installed for such files is taken.
        """
        self._sentinel = Sentinel(prefix, suffix)
        self._leading = Leading(prefix)
        self._trimmer = Trimmer(
            prefix,
            suffix,
            statements=has_statements(path, language),
            syntax=syntax or syntax_of(prefix, path, language),
        )
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        trimmer = self._trimmer
        if self._sentinel.held or "<" in text:
            text = self._sentinel.feed(text)
        if self._leading.holds:
            text = self._leading.feed(text)
        shown = trimmer.feed(text)
        if self._sentinel.done and not trimmer.done:
            shown += trimmer.finish()
        self.done = trimmer.done
        return shown

    def finish(self) -> str:
        """The model stopped by itself: return what was held back and belongs to the answer."""
        shown = self._trimmer.feed(self._leading.feed(self._sentinel.held))
        return shown + self._trimmer.finish()


class Trimmer:
    """Trims one streamed completion at the cursor between `prefix` and `suffix`."""

    def __init__(
        self, prefix: str, suffix: str, *, statements: bool = True, syntax: Syntax | None = None
    ) -> None:
        """Learn the cursor's line and the lines behind it.

        Without `statements`, what begins on the cursor's line may go on at the margin.
        """
        head, newline, tail = suffix[:BEHIND_CHARACTERS].partition("\n")
        cursor_line = prefix.rpartition("\n")[2]
        self._rest = Rest(head)
        self._line_follows = bool(newline)
        self._behind = Behind(self._rest.text, tail)
        self._balance = Balance(prefix, suffix)
        self._alone = not cursor_line.strip()
        """Whether nothing stands before the cursor on its line."""
        self._margin = cursor_line if self._alone else ""
        self._base = indent(cursor_line)
        self._opener = block_above(prefix)
        self._statement = statements and in_statement(cursor_line)
        self._open = False
        """Whether the line begins in a bracket that the completion opened."""
        self._inside = self._balance.opened > 0
        self._line: str = ""
        self._sent = 0
        self._flows = False
        """Whether plain text goes on with what was shown of the line."""
        # A line end is in no plain text.
        self._mark = self._rest.text[:1] or "\n"
        """What the rest of the cursor's line begins with, as long as it may come."""
        self._first = True
        self._of_cursor = bool(self._rest.text) or not self._alone
        """Whether the line is a part of the cursor's line, and not a line of its own."""
        self._pending: str = ""
        self._kept: str = ""
        self._last = ""
        self._loops = Loops()
        self._syntax = syntax or Shapes()
        self._literal = False
        """Whether the line begins in a string or comment that the completion opened."""
        self._closed = self._deeper = self._after_blank = False
        self.done = False
        """Whether the rest of the stream is not wanted."""

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        if self._flows and self._mark not in text and _PLAIN.fullmatch(text):
            # Most pieces are a word in the middle of a line.
            size, sent = len(self._line), self._sent
            self.done = self._grow(text)
            self._sent = len(self._line)
            return text if sent == size and not self.done else self._line[sent:].rstrip()
        shown = ""
        while text and not self.done:
            head, newline, text = text.partition("\n")
            looped = self._grow(head)
            ending = newline
            if newline and self._line.endswith("\r") and not looped:
                self._line, ending = self._line[:-1], "\r\n"
            # What is known at a line's end of what came before must not depend on the pieces.
            shown += self._peek()
            if looped:
                self.done = True
            elif newline and not self.done:
                shown += self._close_line()
                self._pending += ending
        return shown

    def _grow(self, text: str) -> bool:
        """Add to the line, up to where it is a loop; tell whether it is one."""
        size = len(self._line)
        self._line = line = self._line + text
        for end in range(size - size % LOOP_STEP + LOOP_STEP, len(line) + 1, LOOP_STEP):
            if loops_inside(line, end):
                self._line, self._flows = line[:end], False
                return True
        return False

    def finish(self) -> str:
        """The model stopped by itself: return what was held back and belongs to the answer."""
        if self.done:
            return ""
        self._line = self._line.removesuffix("\r")
        shown = self._close_line(last=True)
        if not self.done:
            # Lines that equal the suffix's up to the very end of the answer are the suffix.
            ended = self._closed or self._behind.ends
            shown += self._kept if ended else self._trailing()
            self.done = True
        return shown

    def _close_line(self, *, last: bool = False) -> str:
        """Decide on a whole line: show the rest of it, hold it, or end."""
        line, first = self._line, self._first
        reading = self._syntax.read(line, doubtful=self._balance.over is not None)
        if reading is not None:
            self._balance.read_again(reading.code)
        if self._literal:
            shown = self._show(line)
        elif reading is not None and reading.closed and not first:
            shown = self._close_block(line)
        elif self._of_cursor:
            shown = self._close_first(line, last=last)
        else:
            shown = self._close_next(line)
        self._line, self._sent, self._first, self._margin = "", 0, False, ""
        self._of_cursor = self._flows = False
        self._mark = "\n"
        self._open = self._balance.depth > 0
        self._inside = self._balance.opened + self._balance.depth > 0
        self._literal = reading is not None and reading.within
        self._balance.next_line()
        depth = self._balance.depth
        filled = depth < 0 and self._balance.opened + depth <= self._rest.closes
        inside = self._inside and not filled
        if first and not last and self._rest.text and not self._alone and not inside:
            # The line goes on behind the cursor, so it is all that is wanted.
            self.done = True
        return shown

    def _close_first(self, line: str, *, last: bool) -> str:
        """Decide on the first line where it is a part of the cursor's."""
        over = self._balance.over
        end = self._rest.ends(line, cut=last, over=over is not None)
        if end is not None and self._rest.closes and self._balance.opened_by(line[:end]):
            # What ends like the rest closes a bracket of the line's own.
            end = None
        if end is None:
            end = over
        if end is not None:
            # The line's own end stands behind the cursor already: the hole is filled.
            return self._end_at(line, end)
        if not line.strip():
            self._pending += line[self._sent :]
            return ""
        self._opener = None
        return self._show(line)

    def _close_next(self, line: str) -> str:
        """Decide on a line of its own."""
        sent = self._sent
        if not line.strip():
            self._pending += line
            self._after_blank = True
            return ""
        closed = self._closed
        if closed and not _SECOND_HALF.match(line):
            self.done = True
            return self._kept
        whole = self._margin + line
        undecided = not sent and not closed
        if undecided and self._outside(whole, known=True) and not _CLOSER.match(line):
            return self._end()
        if self._balance.over is not None:
            return self._close_over(line, self._balance.over)
        self._closed = False
        if undecided and self._extends_run(line, whole):
            self.done = self._behind.sure
            return self._kept if self.done else ""
        if self._opener is not None and self._base <= self._opener < indent(whole):
            self._base = indent(whole)
        self._opener = None
        if self._statement and not self._last and indent(whole) <= self._base:
            self._statement = False
        return self._show(line)

    def _close_block(self, line: str) -> str:
        """End with the line that closes what is around the cursor, or before it."""
        if not self._sent and self._extends_run(line, self._margin + line):
            return self._end()
        shown = self._show(line)
        self.done = True
        return shown

    def _close_over(self, line: str, over: int) -> str:
        """End before what closes too much, unless the next line may open it again."""
        if self._sent or (line[:over].strip() and not self._closed):
            return self._release() + self._end_at(line, over)
        if not self._closed:
            # The rest of the cursor's line comes without a newline and indent of its own.
            self._kept = self._pending + line[:over] if self._rest.text else ""
            self._closed = True
        self._pending += line
        self.done = line.strip() != "}" and not _SECOND_HALF.match(line)
        return self._kept if self.done else ""

    def _end_at(self, line: str, end: int) -> str:
        self.done = True
        shown = line[self._sent : end]
        return shown if self._rest.needs_space else shown.rstrip()

    def _end(self) -> str:
        self.done = True
        return self._kept if self._behind.run else ""

    def _peek(self) -> str:
        """Return what of the line is certain already, whatever comes behind it on the line."""
        line, sent, rest = self._line, self._sent, self._rest
        found = rest.begins(line, sent) if self._of_cursor else None
        if found is not None:
            over = self._balance.read(line[: found + len(rest.text)])
            return self._end_at(line, found if over is None else min(found, over))
        over = self._balance.read(line)
        if not (sent or self._of_cursor or self._literal):
            # Once a line has begun to be shown, it is none of those that may go.
            if self._may_be_behind(line):
                return self._kept if self.done else ""
            known = _BEGUN.match(line) is not None
            if self._outside(self._margin + line, known=known):
                return self._end() if known and not _CLOSER.match(line) else ""
        held = rest.pending(line, sent) if self._of_cursor else 0
        end = len(line) - held if over is None else min(len(line) - held, over)
        # White space, and half of a line's end, is shown with what comes behind it, or not at all.
        shown = line[sent:end].rstrip()
        self._sent += len(shown)
        self._flows = self._sent > 0 and over is None and not held
        return shown if sent or not shown else self._release() + shown

    def _may_be_behind(self, line: str) -> bool:
        """Tell whether an unfinished line may yet stand behind the cursor, or tell nothing."""
        text = line.strip()
        if not text:
            return True
        if self._closed:
            if not any(half.startswith(text) or text.startswith(half) for half in _HALVES):
                self.done = True
            return True
        whole = self._margin + line
        return self._behind.may_extend(whole, loose=self._may_be_loose(whole))

    def _show(self, line: str) -> str:
        """Show the rest of a whole line, its trailing white space with what follows."""
        body = line.rstrip()
        shown = self._release() + line[self._sent : len(body)]
        self._pending = line[max(self._sent, len(body)) :]
        self._deeper = self._deeper or (bool(self._last) and indent(line) > self._base)
        self._after_blank = False
        self._last = body
        self.done = self.done or self._loops.closed_by(line)
        return shown

    def _release(self) -> str:
        pending, self._pending = self._pending, ""
        self._behind.stop()
        self._kept = ""
        return pending

    def _trailing(self) -> str:
        """Return of the white space at the answer's end what the code behind it needs."""
        if self._rest.text:
            return self._pending if self._rest.needs_space else self._pending.rstrip(" \t")
        return "" if self._line_follows or "\n" not in self._pending else self._pending

    def _extends_run(self, line: str, whole: str) -> bool:
        """Hold the line if it goes on like the suffix; a run may begin anew at any line."""
        if not self._behind.extend(whole, loose=self._may_be_loose(whole)):
            self._kept = ""
            return False
        if self._behind.run == 1:
            # The rest of the cursor's line comes without a newline and indent of its own.
            self._kept = self._pending + line[: indent(line)] if self._rest.text else ""
        self._pending += line
        return True

    def _may_be_loose(self, line: str) -> bool:
        """Tell whether a run may begin with another indentation: only outside of inner blocks."""
        return indent(line) == self._base and not self._inside

    def _outside(self, line: str, *, known: bool) -> bool:
        """Tell by its indent whether the line is outside what the cursor is in.

        One of which too little is `known` may go on with the statement, or not: it may be outside.
        """
        depth = indent(line)
        if depth != self._base:
            return depth < self._base and not self._open
        last = self._last
        if self._statement and last and not self._inside:
            return not goes_on(last, line if known else "") or (self._deeper and self._after_blank)
        return self._deeper and self._after_blank
