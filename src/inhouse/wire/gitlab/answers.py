"""What all answers with code have in common."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from inhouse.core.delta import Answer

LENGTH = "length"
"""GitLab's gateway gives this reason to each choice, and editors know no other."""


class Answering(Struct, frozen=True, kw_only=True):
    """Who answers: an engine by GitLab's name, the model's family, and the file's language.

    `created` is a Unix time in whole seconds, `flags` are the feature flags that the request has.
    """

    engine: str
    name: str
    language: str
    created: int
    flags: list[str]

    @property
    def model(self) -> dict[str, Any]:
        """The model, as each answer tells it."""
        return {"engine": self.engine, "name": self.name, "lang": self.language}


def choices(answer: Answer) -> list[dict[str, Any]]:
    """Return the choices that suggest something, each text once, numbered anew."""
    # A model without temperature writes the same as often as it is asked.
    texts = dict.fromkeys(choice.text for choice in answer.choices if choice.text.strip())
    return [
        {"text": text, "index": index, "finish_reason": LENGTH} for index, text in enumerate(texts)
    ]
