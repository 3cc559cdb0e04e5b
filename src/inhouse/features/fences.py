"""Code only: fences, prose and reasoning stripped from a generation while it streams.

Asked for code, a chat model may answer with a sentence, a fenced block and an explanation. A
`CodeOnly` shows what is inside the first fenced block, or, where the model writes bare code, all of
it up to a lone closing fence. Leading prose is held back until a fence or code shows which it is.
"""

from __future__ import annotations

import itertools
import re
from enum import Enum

HOLD_LINES = 40
"""Lines of leading prose that are held; behind them the answer is shown as it comes."""

SENTENCE_WORDS = 4
"""Fewer words before a full stop are as often code or data."""

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})[^`]*\Z")
_THINK_OPEN = re.compile(r"\s*<think(?:ing)?>")
_THINK_CLOSE = re.compile(r"</think(?:ing)?>\s*")
_CODE_MARK = re.compile(
    r"^\s+\S"  # indented
    r"|^(?:#|//|/\*|--|;;|\"\"\"|'''|<[!?/a-zA-Z]|@|\$|\{|\}|\[|\()"  # comments, tags, decorators
    r"|[;{}=]|\w\(|\)\s*:|->|::"  # statements
    r"|^[\w.]+:?$"  # one word: a key, a label, a bare name
    r"|^(?:import|from|def|class|func|fn|package|using|use|return|if|for|while|let|const|var|public"
    r"|private|static|async|await|with|try|SELECT|INSERT|UPDATE|CREATE|FROM|RUN)\b(?!.*[.:,]$)"
    r"|^(?:def|class|if|for|while|with|try|else|elif|except)\b.*:$"
)


class _State(Enum):
    START = "before anything but blanks"
    THINKING = "inside a reasoning block"
    PROSE = "holding leading prose"
    FENCED = "inside a fenced block"
    BARE = "code without a fence"


class CodeOnly:
    """Strips one streamed generation down to its code."""

    def __init__(self) -> None:
        """Start before the first character."""
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
        shown = line[self._sent :]
        self._sent = len(line)
        return self._emit(shown)

    def _close_line(self) -> str:
        line, sent = self._line, self._sent
        self._line, self._sent = "", 0
        match self._state:
            case _State.FENCED | _State.BARE:
                if not sent and self._closes(line):
                    self.done = True
                    return ""
                return self._emit(line[sent:]) + self._newline()
            case _State.THINKING:
                return self._leave_thinking(line)
            case _State.START | _State.PROSE:
                return self._decide(line)

    def _decide(self, line: str) -> str:
        """Find out what a line before any code is."""
        if self._state is _State.START and _THINK_OPEN.match(line):
            self._state = _State.THINKING
            return self._leave_thinking(_THINK_OPEN.sub("", line, count=1))
        if fence := _FENCE.match(line):
            self._state, self._fence = _State.FENCED, fence.group(1)
            self._held.clear()
            return ""
        if not line.strip():
            return ""
        if self._is_code(line):
            self._state = _State.BARE
            # A short line such as a YAML key is prose only where a fence follows.
            held = itertools.dropwhile(_is_sentence, self._held)
            return "\n".join([*held, line]) + self._newline()
        self._state = _State.PROSE
        self._held.append(line)
        if len(self._held) < HOLD_LINES:
            return ""
        self._state = _State.BARE
        return "\n".join(self._held) + self._newline()

    def _is_code(self, line: str) -> bool:
        if _is_sentence(line):
            return False
        if self._state is _State.START:
            return not _may_be_prose(line)
        return _CODE_MARK.search(line) is not None

    def _leave_thinking(self, line: str) -> str:
        close = _THINK_CLOSE.search(line)
        if close is None:
            return ""
        self._state = _State.START
        rest = line[close.end() :]
        return self._decide(rest) if rest else ""

    def _closes(self, line: str) -> bool:
        text = line.strip()
        if self._state is _State.BARE:
            return text in ("```", "~~~")
        return len(text) >= len(self._fence) and set(text) == {self._fence[0]}

    def _newline(self) -> str:
        # Held until more code comes: the newline before a closing fence is the fence's.
        self._gap += "\n"
        return ""

    def _emit(self, text: str) -> str:
        if not text:
            return ""
        gap, self._gap = self._gap, ""
        return gap + text


def _may_be_fence(line: str) -> bool:
    """Tell whether an unfinished line may become a closing fence."""
    text = line.strip()
    return not text or (text[0] in "`~" and not text.strip(text[0]))


def _may_be_prose(line: str) -> bool:
    """Tell whether a line may be an answer's opening: "Sure!", "Here it is:"."""
    words = line.split()
    capital = line[:1].isupper() and (not line[1:2].isupper())
    ends = line.rstrip()[-1:] in ".:!?," or len(words) >= SENTENCE_WORDS
    return capital and ends and _plain_words(words)


def _is_sentence(line: str) -> bool:
    """Tell whether a line surely is prose: a capital, several plain words, a full stop."""
    return (
        _may_be_prose(line) and len(line.split()) >= SENTENCE_WORDS and line.rstrip()[-1:] in ".:!?"
    )


def _plain_words(words: list[str]) -> bool:
    plain = sum(word.strip(".,:;!?'\"`()").isalpha() for word in words)
    return plain > 0.7 * len(words)
