"""What a check says: how it went, what was found, and what to do about it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Status(StrEnum):
    """How a check went; a warning is something to look at, a skipped one could not be made."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(Struct, frozen=True, kw_only=True):
    """One thing looked at: what was found, and what to do about it where that is known."""

    name: str
    status: Status
    sentence: str
    remedy: str = ""


def ok(name: str, sentence: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name=name, status=Status.OK, sentence=sentence)


def warning(name: str, sentence: str, remedy: str = "") -> Check:
    """Return a check that found something to look at."""
    return Check(name=name, status=Status.WARNING, sentence=sentence, remedy=remedy)


def failed(name: str, sentence: str, remedy: str = "") -> Check:
    """Return a check that found something that does not work."""
    return Check(name=name, status=Status.FAILED, sentence=sentence, remedy=remedy)


def skipped(name: str, sentence: str, remedy: str = "") -> Check:
    """Return a check that could not be made, and why."""
    return Check(name=name, status=Status.SKIPPED, sentence=sentence, remedy=remedy)
