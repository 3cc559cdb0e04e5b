"""The tools that a GitLab can run for its chat, and which of them a request may be offered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from msgspec import Struct

_VERSION = re.compile(r"\D{0,2}(\d+)(?:\.(\d+))?")
_LETTERS = re.compile(r"[^a-z]+")


class Tool(Struct, frozen=True, kw_only=True):
    """A tool by GitLab's name. `scope` allows it; GitLab knows it `since` this version.

    `resources` are what GitLab may call that which it reads, in small letters alone.
    """

    name: str
    scope: str
    resources: tuple[str, ...]
    since: tuple[int, int] = (0, 0)


_LATER = (17, 5)
_CLASSIC = (19, 0)
_UNKNOWN = (0, 0)
TOOLS = (
    Tool(name="issue_reader", scope="ask_issue", resources=("issue",)),
    Tool(name="epic_reader", scope="ask_epic", resources=("epic",)),
    Tool(name="work_item_reader", scope="ask_work_item", resources=("workitem",)),
    Tool(
        name="merge_request_reader",
        scope="ask_merge_request",
        resources=("mergerequest",),
        since=_LATER,
    ),
    Tool(name="commit_reader", scope="ask_commit", resources=("commit",), since=_LATER),
    Tool(name="build_reader", scope="ask_build", resources=("build", "job"), since=_LATER),
    Tool(
        name="gitlab_documentation",
        scope="documentation_search",
        resources=("documentation", "gitlabdocumentation"),
    ),
)


def offered(
    version: str, may: Callable[[str], bool], unavailable: Iterable[str]
) -> tuple[str, ...]:
    """Return the names of the tools that GitLab can run and its user may use.

    `version` is GitLab's own, of which only the first two numbers count (17.5.0-pre has what 17.5
    has); one that cannot be read is taken for an old one.
    """
    known = _numbers(version)
    missing = {_LETTERS.sub("", each.lower()).removesuffix("s") for each in unavailable}
    return tuple(
        tool.name
        for tool in TOOLS
        if known >= tool.since and may(tool.scope) and missing.isdisjoint(tool.resources)
    )


def knows_classic(version: str) -> bool:
    """Tell whether a GitLab has a licence of its own for this chat, as all have since 19.0.

    Before, the one for any chat was enough. Who does not tell its version is taken for a new one:
    this is about what somebody may do.
    """
    known = _numbers(version)
    return known == _UNKNOWN or known >= _CLASSIC


def _numbers(version: str) -> tuple[int, int]:
    found = _VERSION.match(version.strip())
    return (int(found[1]), int(found[2] or 0)) if found is not None else _UNKNOWN
