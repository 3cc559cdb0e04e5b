"""A document in an editor, and what its language server remembers of suggestions for it."""

from collections import OrderedDict
from typing import NamedTuple

from tests.gitlab.drivers.clock import Clock

TTL = 60.0
KEPT = 100
SHORTEST = 10
CLOSING = ")]}'\"`>"


class Document(NamedTuple):
    """A file with a cursor in it."""

    uri: str
    prefix: str
    suffix: str = ""

    @property
    def line(self) -> int:
        return self.prefix.count("\n")

    @property
    def typed(self) -> str:
        """What stands before the cursor in its line."""
        return self.prefix.rpartition("\n")[2]

    @property
    def name(self) -> str:
        return self.uri.rpartition("/")[2]

    def type(self, text: str) -> "Document":
        return self._replace(prefix=self.prefix + text)

    def wants(self) -> bool:
        """Tell whether the language server would ask for this place at all."""
        rest = self.suffix.partition("\n")[0].strip()
        near_end = rest.lstrip(CLOSING) in {"", ":", "{", ";", ","}
        return len(self.prefix + self.suffix) >= SHORTEST and near_end

    def key(self) -> tuple[str, int, str, str, int]:
        above = [each for each in self.prefix.split("\n")[:-1] if each.strip()]
        below = [each for each in self.suffix.split("\n")[1:] if each.strip()]
        indent = len(self.typed) - len(self.typed.lstrip())
        return self.uri, self.line, (above or [""])[-1], (below or [""])[0], indent


class Entry:
    def __init__(self, typed: str, texts: list[str], until: float) -> None:
        self.typed = typed
        self.texts = texts
        self.until = until
        self.served: set[int] = set()


class Suggestions:
    """What was suggested lately; each position is served once, and those that are typed along."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[str, int, str, str, int], Entry] = OrderedDict()

    def keep(self, document: Document, texts: list[str]) -> None:
        entry = Entry(document.typed, texts, self._clock.now + TTL)
        entry.served.add(len(document.typed))
        self._entries[document.key()] = entry
        self._entries.move_to_end(document.key())
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)

    def find(self, document: Document) -> list[str]:
        entry = self._entries.get(document.key())
        if entry is None or entry.until <= self._clock.now:
            return []
        position = len(document.typed)
        if position in entry.served or not document.typed.startswith(entry.typed):
            return []
        along = document.typed[len(entry.typed) :]
        left = [text[len(along) :] for text in entry.texts if text.startswith(along)]
        entry.served.add(position)
        return [text for text in left if text]
