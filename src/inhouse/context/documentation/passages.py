"""Cut a page of Markdown to passages: along its headings, then its paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from inhouse.context.documentation.fences import Literal

MOST = 2000
"""Characters of a passage at most."""

_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_ANCHOR = re.compile(r"\{#(?P<anchor>[^{}\s]{1,200})\}$")
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
_SHORTCODE = re.compile(r"\{\{[<%][^{}]*[>%]\}\}")
_MARKS = re.compile(r"[`*]")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


class Passage(Struct, frozen=True):
    """A piece of a page: `part` counts from 0 in the section of `anchor`.

    `headings` lead to it, the page's own title left out. `anchor` is empty above the first of them.
    """

    headings: tuple[str, ...]
    anchor: str
    part: int
    text: str


class _Heading(Struct, frozen=True):
    level: int
    text: str
    anchor: str


class _Section(Struct, frozen=True):
    """What stands below one heading: lines, each with whether it is to be taken literally."""

    headings: tuple[str, ...]
    anchor: str
    lines: list[tuple[str, bool]]


def passages(body: str) -> Iterator[Passage]:
    """Yield the passages of a page without its front matter.

    Together they are the body, each character once. A fence is cut only where it is longer than a
    passage may be.
    """
    for section in _sections(body):
        for part, text in enumerate(_packed(_units(section.lines))):
            yield Passage(section.headings, section.anchor, part, text)


def first_heading(body: str) -> str:
    """Return the text of the first heading of level 1, empty where there is none."""
    literal = Literal()
    for line in _LINES.findall(body):
        heading = None if literal.covers(line) else _heading(line)
        if heading is not None and heading.level == 1:
            return heading.text
    return ""


def _sections(body: str) -> Iterator[_Section]:
    literal = Literal()
    above: list[_Heading] = []
    anchors: dict[str, int] = {}
    section = _Section((), "", [])
    for line in _LINES.findall(body):
        covered = literal.covers(line)
        heading = None if covered else _heading(line)
        if heading is not None:
            if section.lines:
                yield section
            above = [each for each in above if each.level < heading.level]
            if heading.level > 1:
                above.append(heading)
            path = tuple(each.text for each in above)
            anchor = _unique(heading.anchor, anchors) if above else ""
            section = _Section(path, anchor, [])
        section.lines.append((line, covered))
    if section.lines:
        yield section


def _heading(line: str) -> _Heading | None:
    said = line.strip()
    level = len(said) - len(said.lstrip("#"))
    indented = len(line) - len(line.lstrip(" "))
    if not 1 <= level <= 6 or indented > 3 or said[level : level + 1] not in ("", " ", "\t"):
        return None
    text = said[level:].strip()
    open_end = text.rstrip("#")
    if not open_end or open_end[-1] in " \t":
        text = open_end.rstrip()
    given = _ANCHOR.search(text)
    if given is not None:
        text = text[: given.start()].rstrip()
    text = _MARKS.sub("", _SHORTCODE.sub("", _LINK.sub(r"\1", text))).strip()
    return _Heading(level, text, given["anchor"] if given is not None else _anchor(text))


def _anchor(text: str) -> str:
    """Return what Hugo makes of a heading, as GitHub does."""
    return _NOT_IN_ANCHORS.sub("", text.lower()).replace(" ", "-")


def _unique(anchor: str, taken: dict[str, int]) -> str:
    times = taken.get(anchor, 0)
    taken[anchor] = times + 1
    return f"{anchor}-{times}" if times else anchor


def _units(lines: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """Yield what is best left whole: paragraphs, fences, and of those too long the lines."""
    for block in _blocks(lines):
        if sum(map(len, block)) <= MOST:
            yield "".join(block)
            continue
        for line in block:
            yield from (line[at : at + MOST] for at in range(0, len(line), MOST))


def _blocks(lines: Iterable[tuple[str, bool]]) -> Iterator[list[str]]:
    block: list[str] = []
    for line, literal in lines:
        block.append(line)
        if not literal and not line.strip():
            yield block
            block = []
    if block:
        yield block


def _packed(units: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for unit in units:
        if held and size + len(unit) > MOST:
            yield "".join(held)
            held, size = [], 0
        held.append(unit)
        size += len(unit)
    if held:
        yield "".join(held)
