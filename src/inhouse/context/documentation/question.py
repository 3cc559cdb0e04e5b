"""From a question in words to what FTS5 looks for."""

from __future__ import annotations

import re

MOST_CHARACTERS = 4000
"""Of a longer text the beginning counts: behind it come logs and code."""
MOST_TERMS = 32

_COMPOUND = re.compile(r"\w+(?:[-./]\w+)*")
_PART = re.compile(r"[^\W_]+")

STOP_WORDS = frozenset(
    _PART.findall(
        "a about all also am an and any are as at be been being but by can cannot could did do does"
        " doing done for from get gets getting give had has have having here how i if in into is it"
        " its just let like make makes me mean might must my no not of off on one or our out please"
        " shall should so some tell than that the their them then there these they this those to"
        " too up us use used uses using want was way we were what when where which while who whom"
        " whose why will with without work works would you your"
        # Each page is about it.
        " gitlab"
    )
)
"""Words that a passage about anything may hold."""


def expression(question: str) -> str:
    """Return an expression of FTS5 that any of the question's words match; empty without any.

    Words that are written as one, as in ``.gitlab-ci.yml``, are also looked for side by side.
    Every word is quoted, so that no text is taken for an operator.
    """
    compounds = _COMPOUND.findall(question[:MOST_CHARACTERS].lower())
    phrases = [_PART.findall(each) for each in compounds]
    words = [word for phrase in phrases for word in phrase]
    telling = [word for word in words if word not in STOP_WORDS] or words
    terms = [*telling, *(" ".join(phrase) for phrase in phrases if len(phrase) > 1)]
    chosen = list(dict.fromkeys(terms))[:MOST_TERMS]
    return " OR ".join(f'"{term}"' for term in chosen)
