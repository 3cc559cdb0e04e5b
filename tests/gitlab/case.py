"""The format of the contract suite's cases; an unknown member is an error."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from tests.gitlab.script import Entry
from tests.gitlab.visiting import Visitor

ROUTES = {"completion": ["filler"], "generation": ["talker"], "chat": ["talker"]}


class Request(Struct, forbid_unknown_fields=True):
    """What is asked: a JSON body, or `raw` bytes.

    Headers come besides those that say who asks; null leaves one of these out.
    """

    path: str
    method: str = "POST"
    headers: dict[str, str | None] = field(default_factory=dict[str, str | None])
    body: Any = UNSET
    raw: str | UnsetType = UNSET


class Seen(Struct, forbid_unknown_fields=True):
    """What the upstream saw of one request.

    `contains` and `lacks` are parts of the texts of its body, `fields` are members of the body,
    null where they must be absent.
    """

    path: str | UnsetType = UNSET
    contains: list[str] = field(default_factory=list[str])
    lacks: list[str] = field(default_factory=list[str])
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    headers: dict[str, str | None] = field(default_factory=dict[str, str | None])


class Event(Struct, forbid_unknown_fields=True):
    """One frame of SSE: its data exactly, or a schema for it."""

    event: str
    data: Any = UNSET
    schema: Any = UNSET


class Refused(Struct, forbid_unknown_fields=True):
    """An error as a list under ``detail``, whose one entry GitLab shows.

    `loc` is the way to the field below the body, `msg` a part of the message as a pattern.
    """

    msg: str
    loc: list[str | int] = field(default_factory=list[str | int])
    type: str | UnsetType = UNSET


class Expected(Struct, forbid_unknown_fields=True):
    """What must come of it; a header that is null must be absent.

    Of the body at most one is said: the exact JSON, a `schema` for it, the `error` in it, the exact
    `text`, the exact `lines` of NDJSON, or the `events` of SSE. Members that a schema tells of must
    be there, false says that they must not, and lists hold something unless it says `minItems`.
    `cut` says that the answer breaks off behind that. `upstream` are all requests that the upstream
    got; where it is not said, there are as many as the script has entries, or as `asked` says.
    Members of `trace` are those of `Trace`; each of its `warnings` is a part of one.
    """

    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict[str, str | None])
    body: Any = UNSET
    schema: Any = UNSET
    error: Refused | UnsetType = UNSET
    text: str | UnsetType = UNSET
    lines: list[Any] | UnsetType = UNSET
    events: list[Event] | UnsetType = UNSET
    cut: bool = False
    upstream: list[Seen] | UnsetType = UNSET
    asked: int | UnsetType = UNSET
    trace: dict[str, Any] = field(default_factory=dict[str, Any])


class Case(Struct, forbid_unknown_fields=True):
    """One case; `visitor` is ``as`` in JSON.

    In the request ``{endpoint}`` is the upstream's, and ``{"repeat": ["text", 1000]}`` a long text,
    likewise with a list for a long list.
    """

    name: str
    request: Request
    expect: Expected
    config: str = ""
    routes: dict[str, list[str]] = field(default_factory=lambda: ROUTES)
    visitor: Visitor = field(default="gitlab", name="as")
    claims: dict[str, Any] = field(default_factory=dict[str, Any])
    upstream: list[Entry] = field(default_factory=list[Entry])

    @property
    def plain(self) -> bool:
        """Whether any stage will do: nothing is set, and nothing is left behind at the upstream."""
        return (self.config, self.routes, self.upstream) == ("", ROUTES, [])


PLAIN = Case(name="plain", request=Request(path="/"), expect=Expected())
"""A case that sets nothing."""


class Answer(Struct):
    """What came: all of the body that came, and whether it came to its end."""

    status: int
    headers: Any
    body: bytes
    cut: bool
