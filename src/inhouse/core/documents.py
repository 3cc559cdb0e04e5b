"""What is indexed."""

from __future__ import annotations

from msgspec import Struct


class Document(Struct, frozen=True):
    """One file's text; `path` is relative to its repository, with forward slashes."""

    path: str
    text: str
