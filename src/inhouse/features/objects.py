"""The JSON object in an answer, without the words and the fence that models put around it."""

from __future__ import annotations

import json

_DECODER = json.JSONDecoder()


class OneObject:
    """Holds a text back to its end, and then shows the first JSON object in it.

    A text without one is shown as it is: whoever asked can tell that it is none.
    """

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._pieces: list[str] = []
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece; show nothing yet."""
        self._pieces.append(text)
        return ""

    def finish(self) -> str:
        """Return the object as it was written."""
        text = "".join(self._pieces)
        start = text.find("{")
        while start >= 0:
            try:
                _, end = _DECODER.raw_decode(text, start)
            except (ValueError, RecursionError):
                start = text.find("{", start + 1)
            else:
                return text[start:end]
        return text.strip()
