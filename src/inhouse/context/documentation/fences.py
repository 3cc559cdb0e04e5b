"""Where Markdown is to be taken literally: in code fences and in comments."""

from __future__ import annotations

import re

_OPENS = re.compile(
    r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)"
)


class Literal:
    """Follows a page line by line; fences may be indented, as in lists, or quoted."""

    def __init__(self) -> None:
        """Start outside of everything."""
        self._fence = ""
        self._comment = False

    def covers(self, line: str) -> bool:
        """Tell whether the next line belongs to a fence or comment, which it may open or close."""
        if self._fence:
            if self._closes(line):
                self._fence = ""
            return True
        if self._comment:
            self._comment = _left_open(line, inside=True)
            return True
        found = _OPENS.match(line)
        # Between backticks in one line, three of them are code in a sentence.
        if found is not None and (found["fence"][0] == "~" or "`" not in found["info"]):
            self._fence = found["fence"]
            return True
        self._comment = _left_open(line, inside=False)
        return self._comment

    def _closes(self, line: str) -> bool:
        said = line.strip(" \t\r\n>")
        return len(said) >= len(self._fence) and not said.strip(self._fence[0])


def _left_open(line: str, *, inside: bool) -> bool:
    """Tell whether a comment is still open behind the line."""
    closed, opened = line.rfind("-->"), line.rfind("<!--")
    return opened > closed if opened != -1 or closed != -1 else inside
