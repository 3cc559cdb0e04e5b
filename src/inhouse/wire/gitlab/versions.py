"""Version constraints, by which GitLab names prompts; we only tell whether it is one."""

from __future__ import annotations

import re

_VERSION = r"v?\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_WILD = r"v?(?:\d+\.){0,2}[*xX]"
_ONE = re.compile(rf"(?:(?:\^|~=?|>=|<=|>|<|==?|!=)?\s*(?:{_VERSION})|(?:==?|!=)?\s*{_WILD})")
_PARTED = re.compile(r"\s*,\s*|(?<=[0-9A-Za-z*])\s+(?=[\^~><=!0-9v*])")
LONGEST = 255


def is_constraint(text: str) -> bool:
    """Tell whether `text` is a version, a range such as ``>=1,<3``, or several with ``||``."""
    if len(text) > LONGEST:
        return False
    ranges = re.split(r"\s*\|\|?\s*", text.strip())
    return all(_ONE.fullmatch(each) for span in ranges for each in _PARTED.split(span))
