"""Below which confidence to stay silent, learnt from lines of the repository itself.

A fixed threshold does not transfer between repositories. So before everything is indexed, a few
files are held out, the rest is indexed, and random cursors in the held-out files are completed.
The rule, with the cursors ranked by confidence: show as many as possible while `PRECISION` of what
is shown is exactly the rest of the line, but never less than `LEAST_SHOWN` and never more than
`MOST_SHOWN` of all cursors. The threshold is the confidence of the last one that is shown.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from inhouse.core.documents import Document
from inhouse.providers.repository.index import Index

PRECISION = 0.6
LEAST_SHOWN = 0.2
MOST_SHOWN = 0.4
DEFAULT = 0.5
"""The threshold of a repository that is too small to learn from."""
LEAST = 1e-6
"""An answer without any confidence is never shown."""
HELD_OUT_FILES = 40
HELD_OUT_SHARE = 0.1
CURSORS = 300
LEAST_CURSORS = 50
_COMMENT = ("#", "//", "/*", "*", "--", ";", "%")


Report = Callable[[float], None]
"""Hears the share that is done."""


class Cursor(Struct, frozen=True):
    """A place in a line, what stands around the line's end, and what was cut out."""

    path: str
    prefix: str
    target: str
    suffix: str


class Guess(Struct, frozen=True):
    """How sure an answer was, and whether it was exactly right."""

    confidence: float
    right: bool


def held_out(
    documents: Sequence[Document], choose: random.Random, most: int = HELD_OUT_FILES
) -> tuple[list[Document], list[Document]]:
    """Return documents to index and documents to ask about."""
    count = min(most, int(len(documents) * HELD_OUT_SHARE))
    asked = set(choose.sample(range(len(documents)), count))
    kept = [each for number, each in enumerate(documents) if number not in asked]
    return kept, [documents[number] for number in sorted(asked)]


def cursors(documents: Sequence[Document], count: int, choose: random.Random) -> Iterator[Cursor]:
    """Yield random cursors inside random lines that are neither blank nor a comment."""
    places = [
        (document.path, lines, number)
        for document in documents
        for lines in [document.text.splitlines(keepends=True)]
        for number, line in enumerate(lines)
        if line.strip() and not line.lstrip().startswith(_COMMENT)
    ]
    for _ in range(count if places else 0):
        path, lines, number = choose.choice(places)
        line = lines[number]
        code = line.rstrip()
        cut = choose.randrange(len(line) - len(line.lstrip()), len(code))
        end = len(line.rstrip("\r\n"))
        yield Cursor(
            path,
            "".join(lines[:number]) + line[:cut],
            code[cut:],
            line[end:] + "".join(lines[number + 1 :]),
        )


def guesses(
    index: Index, asked: Sequence[Cursor], progress: Report = lambda _: None
) -> list[Guess]:
    """Complete every cursor, whatever the confidence."""
    made: list[Guess] = []
    for number, cursor in enumerate(asked, 1):
        found = index.query(cursor.prefix, cursor.suffix).suggestions()
        made.append(
            Guess(found[0].confidence, found[0].text == cursor.target)
            if found
            else Guess(0.0, right=False)
        )
        progress(number / len(asked))
    return made


def threshold(made: Sequence[Guess]) -> float:
    """Return the least confidence to show, by the rule above."""
    if len(made) < LEAST_CURSORS:
        return DEFAULT
    ranked = sorted(made, key=lambda guess: -guess.confidence)
    right = 0
    shown = int(len(ranked) * LEAST_SHOWN)
    for number, guess in enumerate(ranked[: int(len(ranked) * MOST_SHOWN)], 1):
        right += guess.right
        if right >= PRECISION * number:
            shown = max(shown, number)
    return max(LEAST, ranked[shown - 1].confidence)
