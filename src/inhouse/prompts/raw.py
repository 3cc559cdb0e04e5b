"""Raw FIM prompts: a family's sentinels around the code."""

from __future__ import annotations

from inhouse.families import Family, Order, Sentinels
from inhouse.prompts.file import line
from inhouse.prompts.special import disarm


def fim(sentinels: Sentinels, prefix: str, suffix: str) -> str:
    """Return prefix and suffix with the sentinels, in the family's order."""
    before = sentinels.prefix + prefix
    after = sentinels.suffix + suffix
    if sentinels.order is Order.PSM:
        return before + after + sentinels.middle
    return after + before + sentinels.middle


def header(family: Family, path: str) -> str:
    """Return what stands above the current file, where the family wants its path."""
    form = family.repository
    if form is None or not form.current or not path:
        return ""
    return form.file.replace("{path}", disarm(line(path), family.tokens))


def with_header(family: Family, above: str, prefix: str, suffix: str) -> str:
    """Return a FIM prompt with the header at its place: above the hole or heading the prefix."""
    sentinels = family.fim
    if sentinels is None:
        return above + prefix
    if family.repository is not None and family.repository.inside:
        return fim(sentinels, above + prefix, suffix)
    return above + fim(sentinels, prefix, suffix)
