"""Find the hole in a raw prompt that already carries some family's sentinels."""

from __future__ import annotations

from inhouse.core.prompt import Fim
from inhouse.families import Families, Family, Sentinels


def split_fim(text: str, families: Families) -> Fim | None:
    """Return the hole in a raw FIM prompt, None where `text` is none.

    Each sentinel of the family must stand in the text exactly once: a prompt about sentinels is
    no FIM prompt. Where families share sentinels, the one counts whose other tokens stand there.
    Both orders are understood for every family, also ``prefix suffix S middle P``. Other files
    above the hole head the prefix, without their special tokens; the last path that a file token
    announces is the hole's.
    """
    fitting = [
        family
        for family in families
        if family.fim is not None and all(text.count(each) == 1 for each in family.fim.tokens)
    ]
    if not fitting:
        return None
    family = max(fitting, key=lambda each: sum(token in text for token in each.tokens))
    return None if family.fim is None else _split(text, family, family.fim)


def _split(text: str, family: Family, sentinels: Sentinels) -> Fim | None:
    """Take the prompt apart; every sentinel stands in it once."""
    prefix, suffix = sentinels.prefix.strip(), sentinels.suffix.strip()
    start = min(text.index(prefix), text.index(suffix))
    path, context = _context(text[:start], family)
    psm = text.startswith(prefix, start)
    found = (
        _prefix_first(text[start:], sentinels)
        if psm
        else _suffix_first(text[start:], sentinels, family)
    )
    if found is None:
        return None
    return Fim(prefix=context + found[0], suffix=found[1], path=path)


def _prefix_first(hole: str, sentinels: Sentinels) -> tuple[str, str] | None:
    """Split ``prefix P suffix S middle …``.

    What stands behind the middle sentinel is code before the cursor either way: a middle that the
    client has begun, or, where nothing stands between prefix and suffix, the prefix itself.
    """
    middle = sentinels.middle.strip()
    before, _, rest = hole.partition(sentinels.suffix.strip())
    after, found, begun = rest.partition(middle) if middle else (rest, "", "")
    if middle and not found:
        return None
    before = before.removeprefix(sentinels.prefix.strip())
    before = _between(before, sentinels.prefix, sentinels.suffix)
    return before + begun, _between(after, sentinels.suffix, sentinels.middle)


def _suffix_first(hole: str, sentinels: Sentinels, family: Family) -> tuple[str, str] | None:
    """Split ``suffix S prefix P``, with or without a special token at the end."""
    after, _, before = hole.partition(sentinels.prefix.strip())
    after = after.removeprefix(sentinels.suffix.strip())
    for token in family.tokens:
        before = before.removesuffix(token)
    if any(token in after + before for token in sentinels.tokens):
        return None
    return before, after


def _between(text: str, opening: str, closing: str) -> str:
    """Take off the blanks that belong to the sentinels on both sides of `text`."""
    behind = opening[len(opening.rstrip()) :]
    ahead = closing[: len(closing) - len(closing.lstrip())]
    return text.removeprefix(behind).removesuffix(ahead)


def _context(above: str, family: Family) -> tuple[str, str]:
    """Return the path of the current file, and the text of the others without special tokens."""
    path = ""
    announced = "" if family.repository is None else family.repository.file.partition("{path}")[0]
    if announced in family.tokens and announced in above:
        above, _, last = above.rpartition(announced)
        path, _, rest = last.partition("\n")
        above += rest
    for token in family.tokens:
        above = above.replace(token, "")
    return path.strip(), above if above.strip() else ""
