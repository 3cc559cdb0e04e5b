"""Where a completion ends: before the suffix repeats, at the end of the block, in a loop.

A model is asked to fill a hole and often goes on: it writes the code behind the cursor once more,
leaves the block, or repeats itself. A `Trimmer` sees the text as it streams, shows what is certain,
and says when the rest is not wanted. What it shows is always a prefix of what the model wrote, and
the same however the stream was cut into pieces.
"""

from __future__ import annotations

import re

LOOP_LINES = 8
"""Longest cycle of lines that counts as a loop when it comes three times in a row."""
LOOP_TIMES = 3
INNER_LOOP_SIZES = range(4, 25)
"""Characters of a cycle inside a line that counts as a loop when it comes five times in a row."""
INNER_LOOP_TIMES = 5
LOOP_STEP = 32
"""A line is looked at for a loop inside it whenever it has grown by this many characters."""
SURE_CHARACTERS = 4
"""Word characters that make a run of equal lines more than chance (``}`` has none)."""
BEHIND_CHARACTERS = 4000
"""As much of the suffix is compared; a run is sure long before."""

_WORD = re.compile(r"\w")
_CLOSER = re.compile(r"\s*(?:[)\]}>;,]|end\b|else\b|elif\b|except\b|finally\b|catch\b|\*/|-->)")


class Trimmer:
    """Trims one streamed completion at the cursor between `prefix` and `suffix`."""

    def __init__(self, prefix: str, suffix: str) -> None:
        """Learn the cursor's line and the lines behind it."""
        head, _, tail = suffix[:BEHIND_CHARACTERS].partition("\n")
        cursor_line = prefix.rpartition("\n")[2]
        self._rest = head.rstrip()
        self._behind = [line.rstrip() for line in tail.split("\n") if line.strip()]
        if self._rest:
            self._behind.insert(0, self._rest.lstrip())
        self._base = _indent(cursor_line)
        self._line: str = ""
        self._sent = 0
        self._first = True
        self._pending: str = ""
        self._run = self._weight = 0
        self._kept: str = ""
        self._shown_lines: list[str] = []
        self._deeper = self._after_blank = False
        self.done = False
        """Whether the rest of the stream is not wanted."""

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown now."""
        shown: list[str] = []
        while text and not self.done:
            room = LOOP_STEP - len(self._line) % LOOP_STEP
            newline = text.find("\n", 0, room)
            if newline >= 0:
                self._line += text[:newline]
                ending = "\r\n" if self._line.endswith("\r") else "\n"
                self._line = self._line.removesuffix("\r")
                shown.append(self._close_line())
                self._pending += ending
                text = text[newline + 1 :]
            else:
                self._line += text[:room]
                shown.append(self._peek())
                text = text[room:]
                self.done = self.done or self._loops_inside()
        return "".join(shown)

    def finish(self) -> str:
        """The model stopped by itself: return what was held back and belongs to the answer."""
        if self.done:
            return ""
        self._line = self._line.removesuffix("\r")
        shown = self._close_line()
        if not self.done:
            # Lines that equal the suffix's up to the very end of the answer are the suffix.
            shown += self._kept if self._run else self._pending
            self.done = True
        return shown

    def _close_line(self) -> str:
        """Decide on a whole line: show the rest of it, hold it, or end."""
        line, sent, first = self._line, self._sent, self._first
        self._line, self._sent, self._first = "", 0, False
        if first:
            return self._close_first(line, sent)
        if not line.strip():
            self._pending += line
            self._after_blank = True
            return ""
        if not sent and self._outside(line) and not _CLOSER.match(line):
            self.done = True
            return self._kept if self._run else ""
        if not sent and self._extends_run(line):
            self.done = self._weight >= SURE_CHARACTERS
            return self._kept if self.done else ""
        shown = self._release() + line[sent:]
        self._note(line)
        return shown

    def _close_first(self, line: str, sent: int) -> str:
        overlap = self._overlap(line)
        if overlap:
            # The line's own end stands behind the cursor already: the hole is filled.
            self.done = True
            return line[sent : len(line) - overlap]
        self._note(line)
        return line[sent:]

    def _peek(self) -> str:
        """Return what of the unfinished line can be shown: nothing while the line may yet go."""
        line = self._line
        if self._first:
            shown = line[self._sent : len(line) - self._pending_overlap(line)]
        elif not line.strip() or self._outside(line) or self._may_extend_run(line):
            shown = ""
        else:
            shown = line[self._sent :]
        # Half of a line's end is shown with its other half, or not at all.
        shown = shown.removesuffix("\r")
        if not shown:
            return ""
        self._sent += len(shown)
        return self._release() + shown

    def _release(self) -> str:
        pending, self._pending = self._pending, ""
        self._run, self._weight, self._kept = 0, 0, ""
        return pending

    def _overlap(self, line: str) -> int:
        """Return how many characters at the line's end repeat the rest of the cursor's line."""
        text = line.rstrip()
        if not self._rest or not text.endswith(self._rest):
            return 0
        if _WORD.search(self._rest) is None and not _closes_too_much(text):
            return 0
        return len(line) - len(text) + len(self._rest)

    def _pending_overlap(self, line: str) -> int:
        """Return how many characters at the end may yet be the rest of the cursor's line."""
        if not self._rest:
            return 0
        unsent = line[self._sent :]
        text = unsent.rstrip()
        blanks = len(unsent) - len(text)
        longest = min(len(self._rest), len(text))
        sizes = (size for size in range(longest, 0, -1) if text.endswith(self._rest[:size]))
        return blanks + next(sizes, 0)

    def _extends_run(self, line: str) -> bool:
        """Hold the line if it goes on like the suffix; a run may begin anew at any line."""
        if self._run and not self._equals(line, self._run):
            self._run, self._weight, self._kept = 0, 0, ""
        if not self._equals(line, self._run):
            return False
        if not self._run and self._rest:
            # The rest of the cursor's line comes without a newline and indent of its own.
            self._kept = self._pending + line[: _indent(line)]
        self._run += 1
        self._weight += len(_WORD.findall(line))
        self._pending += line
        return True

    def _equals(self, line: str, at: int) -> bool:
        if at >= len(self._behind):
            return False
        text = line.strip() if at == 0 and self._rest else line.rstrip()
        return text == self._behind[at]

    def _may_extend_run(self, line: str) -> bool:
        for at in {0, self._run}:
            if at < len(self._behind):
                text = line.lstrip() if at == 0 and self._rest else line
                if self._behind[at].startswith(text.rstrip()):
                    return True
        return False

    def _outside(self, line: str) -> bool:
        """Tell by its indent whether the line is outside the block that the cursor is in."""
        indent = _indent(line)
        if indent < self._base:
            return True
        return indent == self._base and self._deeper and self._after_blank

    def _note(self, line: str) -> None:
        """Remember a line that was shown; end behind the one that closes a third turn."""
        if line.strip():
            self._deeper = self._deeper or (bool(self._shown_lines) and _indent(line) > self._base)
            self._after_blank = False
        self._shown_lines.append(line.rstrip())
        del self._shown_lines[: -LOOP_LINES * LOOP_TIMES]
        self.done = self.done or _cycles(self._shown_lines)

    def _loops_inside(self) -> bool:
        if len(self._line) % LOOP_STEP:
            return False
        tail = self._line[-4 * LOOP_STEP :]
        return _cycles_inside(tail) and _WORD.search(tail) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _cycles(lines: list[str]) -> bool:
    """Tell whether the last lines are one group three times over."""
    for period in range(1, LOOP_LINES + 1):
        turns = lines[-period * LOOP_TIMES :]
        if len(turns) < period * LOOP_TIMES:
            return False
        if turns[:period] * LOOP_TIMES == turns and _WORD.search("".join(turns[:period])):
            return True
    return False


def _cycles_inside(tail: str) -> bool:
    """Tell whether the end of a line is one cycle of characters five times over."""
    # Whatever cycles, its last characters come again in each turn: one count spares most searches.
    if tail.count(tail[-INNER_LOOP_SIZES.start :]) < INNER_LOOP_TIMES:
        return False
    return any(
        tail[-size * (INNER_LOOP_TIMES - 1) :] == tail[-size * INNER_LOOP_TIMES : -size]
        for size in INNER_LOOP_SIZES
    )


def _closes_too_much(text: str) -> bool:
    """Tell whether more brackets close than open, so that the last belong to somebody else."""
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return True
    return False
