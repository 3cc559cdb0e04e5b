"""An answer that begins with the code before the cursor, or with the mark that stood for it.

Chat models like to start a line, or a whole file, anew. An `Echo` takes off what stands before the
cursor already; what may yet be an echo is held back, which ends with the first line that differs.
"""

from __future__ import annotations

import re

from inhouse.core.stops import Stops

LOOKED_AT = 8000
"""Characters of the code before the cursor that an answer may repeat."""
SURE_CHARACTERS = 6
"""Word characters that make whole lines an echo: a closing bracket may well come twice."""

_WORD = re.compile(r"\w")
_LAST_TOKEN = re.compile(r"[A-Za-z_$@][\w.$]*\Z")
_OPENERS = "([{"


class Echo:
    """Strips the code before the cursor off one streamed answer."""

    def __init__(self, prefix: str) -> None:
        """Learn the lines before the cursor, and the cursor's own."""
        *above, head = prefix[-LOOKED_AT:].split("\n")
        self._head = head.lstrip()
        self._above = [line.strip() for line in above if line.strip()]
        token = _LAST_TOKEN.search(head)
        self._token = token[0] if token is not None and len(_WORD.findall(token[0])) > 1 else ""
        self._starts = list(range(len(self._above) + 1))
        """The lines above that an echo may begin with, the longest echo first."""
        self._held: str | None = ""
        self._indent = head[: len(head) - len(self._head)]
        self.placed = False
        """Whether the cursor's line was repeated with its indentation: the next have theirs too."""
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain to be no echo."""
        if self._held is None:
            return text
        self._held += text
        return self._decided(self._held, whole=False) if text else ""

    def finish(self) -> str:
        """Return what was held and is no echo."""
        return "" if self._held is None else self._decided(self._held, whole=True)

    def _decided(self, text: str, *, whole: bool) -> str:
        """Return the text without an echo, nothing while there may be one."""
        lines = [*text.split("\n"), ""] if whole else text.split("\n")
        ends = _Lines(lines, text)
        results = [(start, self._echoed(ends, start, whole=whole)) for start in self._starts]
        # What differs once differs for good, so each line above is looked at a few times only.
        self._starts = [start for start, end in results if end != -1]
        if any(end is None for _, end in results):
            return ""
        self._held = None
        found = next((end for _, end in results if end is not None and end >= 0), -1)
        if found < 0:
            return text
        self.placed = text[:found].rpartition("\n")[2].startswith(self._indent + self._head)
        return text[found:]

    def _echoed(self, lines: _Lines, start: int, *, whole: bool) -> int | None:
        """Return where an echo from the line `start` on ends; -1 where there is none, None as yet.

        The last line above may be `start`, or the cursor's own is all that is repeated.
        """
        if start == len(self._above):
            return self._continued(lines, 0, whole=whole) if self._head.strip() else -1
        first = lines.whole[0] if lines.whole else lines.begun.strip()
        if not self._above[start].startswith(first):
            return -1
        above = self._above[start:]
        for at, line in enumerate(above):
            if at == len(lines.whole):
                begun = lines.begun.strip()
                return None if not whole and line.startswith(begun) else -1
            if lines.whole[at] != line:
                return -1
        if sum(len(_WORD.findall(line)) for line in above) < SURE_CHARACTERS:
            return -1
        if not self._head.strip():
            return lines.ends[len(above) - 1]
        return self._continued(lines, len(above), whole=whole)

    def _continued(self, lines: _Lines, at: int, *, whole: bool) -> int | None:
        """Look for the cursor's own line, or its last word, in the answer's line `at`."""
        line, offset, complete = lines.line(at)
        text = line.lstrip()
        offset += len(line) - len(text)
        pending = not complete and not whole
        for echo in (self._head, self._token if at == 0 else ""):
            if echo and text.startswith(echo):
                if at == 0 and echo.rstrip()[-1] in _OPENERS:
                    if pending:
                        return None
                    if _closes_too_much(self._head + text[len(echo) :]):
                        continue
                if at == 0 and not _is_telling(echo):
                    continue
                return offset + len(echo)
            if echo and pending and echo.startswith(text):
                return None
        return -1


class _Lines:
    """The lines of an answer that are not blank, with their ends; the last one may go on."""

    def __init__(self, lines: list[str], text: str) -> None:
        self.whole: list[str] = []
        self.ends: list[int] = []
        self._raw: list[tuple[str, int]] = []
        at = 0
        for line in lines[:-1]:
            if line.strip():
                self.whole.append(line.strip())
                self._raw.append((line, at))
                self.ends.append(min(at + len(line) + 1, len(text)))
            at += len(line) + 1
        self.begun = lines[-1]
        self._begun_at = min(at, len(text))

    def line(self, at: int) -> tuple[str, int, bool]:
        """Return a line as it stands, where it begins, and whether it is complete."""
        if at < len(self._raw):
            return (*self._raw[at], True)
        return self.begun, self._begun_at, False


class Marker:
    """Takes the cursor's mark off the start of an answer, and ends the answer where it comes."""

    def __init__(self, word: str) -> None:
        """`word` stands nowhere in the caller's text."""
        self._word = word
        self._stops = Stops((word,))
        self._held: str | None = ""
        self.done = False
        """Whether the rest of the stream is not wanted."""

    def feed(self, text: str) -> str:
        """Take the next piece and return what stands before or behind the mark."""
        if self._held is not None:
            text = self._held + text
            begun = text.lstrip()
            if self._word.startswith(begun) and begun != self._word:
                self._held = text
                return ""
            self._held = None
            text = begun.removeprefix(self._word) if begun.startswith(self._word) else text
        shown = self._stops.feed(text)
        self.done = self._stops.done
        return shown

    def finish(self) -> str:
        """Return what was held."""
        held, self._held = self._held or "", None
        return self._stops.feed(held) + self._stops.finish()


def _is_telling(echo: str) -> bool:
    """Tell whether it is no chance that an answer begins like the cursor's line."""
    return len(echo.split()) > 1 or len(_WORD.findall(echo)) > 1


def _closes_too_much(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in _OPENERS) - (character in ")]}")
        if depth < 0:
            return True
    return False
