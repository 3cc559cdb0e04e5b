"""When no completion is wanted: the answer is empty, and no model is asked.

A suggestion at such a place is noise to whoever types there, and keeps a model from another place.
What the rules cannot know for certain, a path or a file's head that was not sent, breaks none.
"""

from __future__ import annotations

import posixpath
from functools import lru_cache

from inhouse.context.generated import generated
from inhouse.context.patterns import Patterns
from inhouse.core.requests import CompletionRequest
from inhouse.core.settings import Settings

LONGEST_PATH = 512
"""Characters of a path's end that patterns are held against: no real one is much longer."""


def silence(request: CompletionRequest, settings: Settings) -> str:
    """Return the sentence that says why no model is asked, empty where one is."""
    if settings.completion_exclude and _excluded(request.path, settings.completion_exclude):
        return "No model was asked: 'completion_exclude' names the file."
    least = settings.completion_min_prefix
    if least and not _holds(request.prefix, least):
        return f"No model was asked: 'completion_min_prefix' wants {least} before the cursor."
    if not settings.completion_in_word and _in_word(request.prefix, request.suffix):
        return "No model was asked: the cursor stands inside a word ('completion_in_word')."
    if not settings.completion_generated and generated(request.path, request.prefix):
        return "No model was asked: the file is a generated one ('completion_generated')."
    return ""


def _excluded(path: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a path matches, however its editor writes it."""
    if not path.strip():
        return False
    path = posixpath.normpath(path.strip().replace("\\", "/"))
    return _compiled(patterns).match(path[-LONGEST_PATH:].lstrip("/"))


@lru_cache(maxsize=4)
def _compiled(patterns: tuple[str, ...]) -> Patterns:
    return Patterns(patterns)


def _holds(text: str, least: int) -> bool:
    """Tell whether a text has so many characters that are not blank, without reading it all."""
    # Each piece but the last, which is left as it stands, has one at least.
    return sum(map(len, text.split(maxsplit=least))) >= least


def _in_word(prefix: str, suffix: str) -> bool:
    return bool(prefix and suffix) and _spells(prefix[-1]) and _spells(suffix[0])


def _spells(character: str) -> bool:
    """Tell whether a character is one of a word that blanks or signs end.

    Letters of two cases are: scripts without cases may write their words without a gap, and then
    every cursor in a sentence stands between two letters.
    """
    if character.isascii():
        return character.isalnum() or character == "_"
    return character.isalpha() and character.lower() != character.upper()
