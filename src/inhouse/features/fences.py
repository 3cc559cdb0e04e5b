"""Code only: fences and prose stripped from an answer while it streams.

Asked for code, a chat model may answer with a sentence, a fenced block and an explanation. A
`CodeOnly` shows what is inside the first fenced block, or, where the model writes bare code, all of
it up to a lone closing fence. Leading prose is held back until a fence or code shows which it is.
"""

from __future__ import annotations

import itertools
import re
from enum import Enum
from typing import Protocol

HOLD_LINES = 40
"""Lines of leading prose that are held."""

SENTENCE_WORDS = 4
"""Fewer words before a full stop are as often code or data."""

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})([^`]*)\Z")
_CODE_MARK = re.compile(
    r"^\s+\S"  # indented
    r"|^(?:#|//|/\*|--|;;|\"\"\"|'''|<[!?/a-zA-Z]|@|\$|\{|\}|\[|\()"  # comments, tags, decorators
    r"|[;{}=]|\w\(|\)\s*:|->|::"  # statements
    r"|^[\w.]+:?$"  # one word: a key, a label, a bare name
    r"|^(?:import|from|def|class|func|fn|package|using|use|return|if|for|while|let|const|var|public"
    r"|private|static|async|await|with|try|SELECT|INSERT|UPDATE|CREATE|FROM|RUN)\b(?!.*[.:,]$)"
    r"|^(?:def|class|if|for|while|with|try|else|elif|except)\b.*:$"
)


class Judge(Protocol):
    """Tells prose from code, as strictly as the question makes it necessary."""

    keeps_blanks: bool
    """Whether blank lines before bare code are part of it."""
    keeps_prose: bool
    """Whether an answer that is prose at length is shown after all."""

    def opens(self, line: str) -> bool:
        """Tell whether the first line of an answer may be no part of the code."""
        ...

    def surely(self, line: str) -> bool:
        """Tell whether a line is prose wherever it stands."""
        ...

    def goes_on(self, line: str) -> bool:
        """Tell whether a line behind prose is still no code."""
        ...

    def leads(self, line: str) -> bool:
        """Tell whether a held line is no part of the code that follows it."""
        ...

    def may_follow(self, begun: str) -> bool:
        """Tell whether a line that has begun so may be prose behind bare code."""
        ...

    def unfences(self, kind: str) -> bool:
        """Tell whether a fence is stripped that announces this kind of text, or none."""
        ...


class Lenient:
    """For a generation: prose is left out where a fence or code follows, and where it is all."""

    keeps_blanks = False
    keeps_prose = True

    def opens(self, line: str) -> bool:
        """Take any line that might be a sentence for one."""
        return _may_be_sentence(line)

    def surely(self, line: str) -> bool:
        """Take a capital, several plain words and a full stop for a sentence."""
        return (
            _may_be_sentence(line)
            and len(line.split()) >= SENTENCE_WORDS
            and line.rstrip()[-1:] in ".:!?"
        )

    def goes_on(self, line: str) -> bool:
        """Take everything without a mark of code for prose."""
        return self.surely(line) or not has_code_mark(line)

    def leads(self, line: str) -> bool:
        """Keep a short line such as a YAML key: it is prose only where a fence follows."""
        return self.surely(line)

    def may_follow(self, begun: str) -> bool:
        """Leave what follows bare code alone: it may be documentation that was asked for."""
        del begun
        return False

    def unfences(self, kind: str) -> bool:
        """Strip them all."""
        del kind
        return True


class _State(Enum):
    START = "before anything but blanks"
    PROSE = "holding leading prose"
    FENCED = "inside a fenced block"
    BARE = "code without a fence"


class CodeOnly:
    """Strips one streamed answer down to its code."""

    def __init__(self, judge: Judge | None = None) -> None:
        """Start before the first character."""
        self._judge = judge or Lenient()
        self._state = _State.START
        self._line = ""
        self._sent = 0
        self._gap = ""
        self._held: list[str] = []
        self._fence = ""
        self.done = False
        """Whether the rest of the stream is not wanted."""

    def feed(self, text: str) -> str:
        """Take the next piece and return the code in it that may be shown now."""
        shown: list[str] = []
        while text and not self.done:
            piece, newline, text = text.partition("\n")
            self._line += piece
            shown.append(self._close_line() if newline else self._peek())
        return "".join(shown)

    def finish(self) -> str:
        """The model stopped: return what was held back and is code."""
        if self.done:
            return ""
        shown = self._close_line() if self._line else ""
        self.done = True
        # An answer that is prose from end to end holds no code; the last newline is no part of it.
        return shown

    def _peek(self) -> str:
        """Return what of the unfinished line can be shown already."""
        line = self._line
        if self._state not in (_State.FENCED, _State.BARE) or _may_be_fence(line):
            return ""
        if self._state is _State.BARE and not self._sent and self._judge.may_follow(line):
            return ""
        # Half of a line's end is shown with its other half, or not at all.
        shown = line[self._sent :].removesuffix("\r")
        self._sent += len(shown)
        return self._emit(shown)

    def _close_line(self) -> str:
        line, sent = self._line, self._sent
        self._line, self._sent = "", 0
        if self._state in (_State.START, _State.PROSE):
            return self._decide(line)
        if not sent and self._closes(line):
            self.done = True
            return ""
        return self._emit_line(line[sent:])

    def _decide(self, line: str) -> str:
        """Find out what a line before any code is."""
        fence = _FENCE.match(line)
        if fence is not None and self._judge.unfences(fence.group(2).strip().lower()):
            self._state, self._fence, self._gap = _State.FENCED, fence.group(1), ""
            self._held.clear()
            return ""
        if not line.strip():
            if self._judge.keeps_blanks and not self._held:
                self._end_line(line)
            return ""
        if not self._is_prose(line):
            self._state = _State.BARE
            held = itertools.dropwhile(self._judge.leads, self._held)
            return self._emit_line("\n".join([*held, line]))
        self._state = _State.PROSE
        self._gap = ""
        self._held.append(line)
        if len(self._held) < HOLD_LINES:
            return ""
        if not self._judge.keeps_prose:
            self.done = True
            return ""
        self._state = _State.BARE
        return self._emit_line("\n".join(self._held))

    def _is_prose(self, line: str) -> bool:
        if self._state is _State.START:
            return self._judge.opens(line)
        return self._judge.goes_on(line)

    def _closes(self, line: str) -> bool:
        """Tell whether a line ends the code: a fence, or prose behind bare code."""
        text = line.strip()
        if self._state is _State.BARE:
            if text in ("```", "~~~") and self._judge.unfences(""):
                return True
            return self._judge.may_follow(line) and self._judge.surely(line)
        return len(text) >= len(self._fence) and set(text) == {self._fence[0]}

    def _emit_line(self, text: str) -> str:
        shown = self._emit(text.removesuffix("\r"))
        self._end_line(text)
        return shown

    def _end_line(self, text: str) -> None:
        # Held until more code comes: the newline before a closing fence is the fence's.
        self._gap += "\r\n" if text.endswith("\r") else "\n"

    def _emit(self, text: str) -> str:
        if not text:
            return ""
        gap, self._gap = self._gap, ""
        return gap + text


def has_code_mark(line: str) -> bool:
    """Tell whether a line has anything that prose has not."""
    return _CODE_MARK.search(line) is not None


def _may_be_fence(line: str) -> bool:
    """Tell whether an unfinished line may become a closing fence."""
    text = line.strip()
    return not text or (text[0] in "`~" and not text.strip(text[0]))


def _may_be_sentence(line: str) -> bool:
    """Tell whether a line may be an answer's opening: "Sure!", "Here it is:"."""
    words = line.split()
    capital = line[:1].isupper() and (not line[1:2].isupper())
    ends = line.rstrip()[-1:] in ".:!?," or len(words) >= SENTENCE_WORDS
    return capital and ends and _plain_words(words)


def _plain_words(words: list[str]) -> bool:
    plain = sum(word.strip(".,:;!?'\"`()").isalpha() for word in words)
    return plain > 0.7 * len(words)
