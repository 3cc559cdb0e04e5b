"""What a name may look like, and the nearest name where one is unknown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from inhouse.core.feature import Feature

LONGEST_NAME = 100


def name_fault(name: str) -> str | None:
    """Return what is wrong with the name of a deployment or key, None where nothing is.

    Names show in lists, logs and URL paths, so they are one line without a slash.
    """
    if not name:
        return "the name is empty"
    if len(name) > LONGEST_NAME:
        return f"the name is longer than {LONGEST_NAME} characters"
    if name != name.strip():
        return "the name begins or ends with a space"
    if not name.isprintable() or "/" in name:
        return "the name holds a slash or a character that cannot be printed"
    return None


def deployment_name_fault(name: str) -> str | None:
    """Return what is wrong with a deployment's name; callers use features as model names too."""
    if name in {feature.value for feature in Feature}:
        return f"the name '{name}' is a feature's; callers could not tell them apart"
    return name_fault(name)


def identifier_fault(identifier: str) -> str | None:
    """Return what is wrong with an identifier, None where it is ``provider/model``."""
    provider, slash, model = identifier.partition("/")
    if not (provider and slash and model) or not identifier.isprintable():
        return (
            f"the identifier '{identifier}' is not PROVIDER/MODEL,"
            " as in custom_openai/codestral or repository/index"
        )
    return None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` with the nearest known name, or nothing."""
    near = nearest(name, known)
    return f"; did you mean '{near}'?" if near else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the nearest known name, empty where none is near."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), "")
