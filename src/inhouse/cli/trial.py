"""Ask at random places of files that an index has never seen, and count what comes back."""

from __future__ import annotations

import random
import statistics
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from inhouse.cli.asking import whole
from inhouse.client import Client
from inhouse.context import files
from inhouse.core.documents import Document
from inhouse.core.requests import CompletionRequest
from inhouse.errors import ConfigError
from inhouse.providers.repository.calibration import Cursor, cursors
from inhouse.providers.repository.indexing import MOST_CHARACTERS

HELD_OUT_SHARE = 0.125
MOST_HELD_OUT = 40
FEWEST_FILES = 4
LINES = (1, 2, 3, 5, 8)
"""Lines of code that a copied example may hold, the fewest first."""
MOST_TRIED = 10
NO_CODE = frozenset(
    {
        *("", ".cfg", ".conf", ".csv", ".ini", ".json", ".lock", ".md", ".rst", ".svg", ".toml"),
        *(".txt", ".xml", ".yaml", ".yml"),
    }
)
"""Suffixes of prose and data: an example should be code, where there is any."""


class Attempt(Struct, frozen=True):
    """One place that was asked about, and the answer; an empty one is none."""

    cursor: Cursor
    text: str
    milliseconds: float

    @property
    def answered(self) -> bool:
        """Whether there was a suggestion."""
        return bool(self.text.strip())

    @property
    def right(self) -> bool:
        """Whether the suggestion is exactly the rest of the line."""
        return self.answered and self.text.rstrip() == self.cursor.target


class Figures(Struct, frozen=True):
    """What all attempts add up to; `median` in milliseconds."""

    asked: int
    answered: int
    right: int
    median: float


def read(root: Path) -> list[Document]:
    """Read the files of a folder; blocks.

    Raises:
        ConfigError: it cannot be read, or holds too few files or too much text for one index.

    """
    found: list[Document] = []
    characters = 0
    try:
        for document in files.read(root):
            found.append(document)
            characters += len(document.text)
            if characters > MOST_CHARACTERS:
                break
    except OSError as error:
        raise ConfigError(f"{root} cannot be read: {error.strerror}.") from None
    if characters > MOST_CHARACTERS:
        raise ConfigError(
            f"{root} holds more than {MOST_CHARACTERS // 1_000_000} MB of source text, too much for"
            " one index. Choose a folder in it with --root."
        )
    if len(found) < FEWEST_FILES:
        raise ConfigError(
            f"{root} holds {len(found)} text files that people wrote; the demo needs"
            f" {FEWEST_FILES}: it indexes some and asks about the others. Choose another folder"
            " with --root."
        )
    return found


def held_out(documents: Sequence[Document], seed: int) -> list[Document]:
    """Choose files to leave out of the index, always the same for the same files and seed."""
    code = [each for each in documents if PurePosixPath(each.path).suffix not in NO_CODE]
    # A star or question mark in a name would exclude others along with it.
    plain = [each for each in code or documents if not {"*", "?"}.intersection(each.path)]
    count = min(MOST_HELD_OUT, max(1, int(len(plain) * HELD_OUT_SHARE)))
    choose = random.Random(seed)  # noqa: S311 -- the same files each time, no secret
    return sorted(choose.sample(plain, min(count, len(plain))), key=lambda each: each.path)


def excluded(documents: Sequence[Document]) -> list[str]:
    """Return the patterns that leave these files, and no others, out of an index."""
    return [f"/{each.path}" for each in documents]


def places(documents: Sequence[Document], count: int, seed: int) -> list[Cursor]:
    """Choose cursors in the files, as the bench does; a file without code has none."""
    return list(cursors(documents, count, random.Random(seed)))  # noqa: S311 -- as above


async def attempts(client: Client, asked: Sequence[Cursor]) -> AsyncGenerator[Attempt]:
    """Ask at each cursor in turn, over HTTP; raises `GatewayError`."""
    for cursor in asked:
        request = CompletionRequest(
            prefix=cursor.prefix, suffix=cursor.suffix, path=cursor.path, fresh=True
        )
        answer, milliseconds = await whole(client.complete(request))
        yield Attempt(cursor, answer.choices[0].text, milliseconds)


def figures(made: Sequence[Attempt]) -> Figures:
    """Count; the median is over every attempt, answered or not."""
    return Figures(
        asked=len(made),
        answered=sum(each.answered for each in made),
        right=sum(each.right for each in made),
        median=statistics.median(each.milliseconds for each in made) if made else 0.0,
    )


class Example(Struct, frozen=True):
    """A short hole that gets an answer: what curl can be shown with."""

    prefix: str
    suffix: str


async def short_example(client: Client, made: Sequence[Attempt]) -> Example:
    """Return a hole with as few lines as get an answer, of places that got one."""
    answered = sorted((each for each in made if each.answered), key=lambda each: not each.right)
    for count in LINES:
        for attempt in answered[:MOST_TRIED]:
            lines = attempt.cursor.prefix.split("\n")[-count:]
            example = Example("\n".join(lines), "\n")
            request = CompletionRequest(prefix=example.prefix, suffix=example.suffix, fresh=True)
            answer, _ = await whole(client.complete(request))
            if answer.choices[0].text.strip():
                return example
    return Example("import ", "\n")
