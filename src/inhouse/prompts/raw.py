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
    """Return a FIM prompt with what stands above the code at its place.

    That is above the hole, or heading the prefix; a special token never stands in the prefix.
    """
    sentinels = family.fim
    if sentinels is None:
        return above + prefix
    cut = _end_of_tokens(family, above)
    return above[:cut] + fim(sentinels, above[cut:] + prefix, suffix)


def _end_of_tokens(family: Family, above: str) -> int:
    form = family.repository
    if form is None:
        return 0
    if not form.inside:
        return len(above)
    token = form.file.partition("{path}")[0].strip()
    return above.rfind(token) + len(token) if token in family.tokens and token in above else 0
