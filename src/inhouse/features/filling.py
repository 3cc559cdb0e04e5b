"""What a chat model answers, asked to fill a hole, made to fit the hole.

Reasoning, fences, prose, the cursor's mark and the code before the cursor are left out; the rest
begins at the cursor's column. An answer that describes the code instead of writing it is dropped
whole. Where the cursor stands in text for people, sentences are what was asked for, and stay.
"""

from __future__ import annotations

from inhouse.core.requests import CompletionRequest
from inhouse.core.stops import Stops
from inhouse.features.echo import Echo, Marker
from inhouse.features.fences import CodeOnly, Judge, has_code_mark
from inhouse.features.place import Place, place
from inhouse.features.prose import is_heading, is_listed, is_prose, is_word, is_wordy, may_be_prose
from inhouse.features.reasoning import Unthinking
from inhouse.features.seam import Seam
from inhouse.features.shaping import Chain, Shaper
from inhouse.prompts import marker

_TEXT_FENCES = frozenset({"markdown", "md", "text", "txt", "plaintext", "rst", "latex", "tex"})


def filling(request: CompletionRequest) -> Shaper:
    """Return what the answer to a hole-filling instruction goes through first.

    The caller's stop sequences are about the code, so they are watched behind everything else.
    """
    where = place(request.prefix, request.path, request.language)
    word = marker(request)
    judge: Judge = InText(where) if where.text else InCode(where)

    def inner() -> Shaper:
        echo = Echo(request.prefix)
        shapers: list[Shaper] = [CodeOnly(judge), echo, Marker(word)]
        if not where.text:
            shapers.append(Seam(request.prefix, lambda: echo.placed))
        if stops := [each for each in request.params.stop if each]:
            shapers.append(Stops(stops))
        return Chain(*shapers)

    return Unthinking(inner)


class InCode:
    """For a hole in code: what reads like a sentence is none of it."""

    keeps_blanks = True
    keeps_prose = False

    def __init__(self, where: Place) -> None:
        """Judge by the language of the file."""
        self._dotted = where.dotted

    def opens(self, line: str) -> bool:
        """Take sentences, announcements and headings for prose."""
        return self.surely(line) or is_heading(line)

    def surely(self, line: str) -> bool:
        """Take sentences and announcements for prose."""
        return is_prose(line, dotted=self._dotted)

    def goes_on(self, line: str) -> bool:
        """Take mere words, and items of a list, for prose behind prose."""
        return self.leads(line) or is_heading(line)

    def leads(self, line: str) -> bool:
        """Take mere words, and items of a list, for prose that is no part of code below it."""
        wordy = is_wordy(line) and not has_code_mark(line)
        return wordy or is_listed(line) or is_word(line) or self.surely(line)

    def may_follow(self, begun: str) -> bool:
        """Look at each line that may be a sentence: an explanation ends the code."""
        return may_be_prose(begun)

    def unfences(self, kind: str) -> bool:
        """Strip them all."""
        del kind
        return True


class InText:
    """For a hole in text: a sentence is an answer, and only a fence around it is none of it."""

    keeps_blanks = True
    keeps_prose = True

    def __init__(self, where: Place) -> None:
        """In a file of text, fenced code is a part of it."""
        self._file = where.file

    def opens(self, line: str) -> bool:
        """Take nothing for prose about the answer."""
        del line
        return False

    def surely(self, line: str) -> bool:
        """Take nothing for prose about the answer."""
        del line
        return False

    def goes_on(self, line: str) -> bool:
        """Take nothing for prose about the answer."""
        del line
        return False

    def leads(self, line: str) -> bool:
        """Take nothing for prose about the answer."""
        del line
        return False

    def may_follow(self, begun: str) -> bool:
        """Show each line as it comes."""
        del begun
        return False

    def unfences(self, kind: str) -> bool:
        """Strip a fence that announces text, and any in a comment or a string."""
        return not self._file or kind in _TEXT_FENCES
