"""Versioned prompt texts: plain files with ``{{name}}`` placeholders, one section a message.

What stands between ``{{#name}}`` and ``{{/name}}`` is left out where that name's value is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from inhouse.core.requests import Message

PLACEHOLDER = re.compile(r"\{\{([a-z_]+)\}\}")
OPTIONAL = re.compile(r"\{\{#([a-z_]+)\}\}(.*?)\{\{/\1\}\}", re.DOTALL)
SECTION = re.compile(r"^--- (system|user)\n", re.MULTILINE)


def messages(template: str, values: Mapping[str, str]) -> tuple[Message, ...]:
    """Render the template ``templates/<template>.txt``.

    Placeholders are replaced in one pass, so that a value is never read as a template.

    Raises:
        KeyError: a placeholder has no value.

    """
    return tuple(
        Message(role=role, content=_filled(text, values)) for role, text in sections(template)
    )


@cache
def sections(template: str) -> tuple[tuple[str, str], ...]:
    """Return a template's roles and texts; the blank lines around a text do not count."""
    source = (files("inhouse.prompts") / "templates" / f"{template}.txt").read_text("utf-8")
    _, *parts = SECTION.split(source)
    return tuple(
        (role, text.strip("\n")) for role, text in zip(parts[::2], parts[1::2], strict=True)
    )


def _filled(text: str, values: Mapping[str, str]) -> str:
    kept = OPTIONAL.sub(lambda found: found[2] if values[found[1]] else "", text)
    return PLACEHOLDER.sub(lambda found: values[found[1]], kept)
