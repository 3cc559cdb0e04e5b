"""From method and path to the endpoint that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from urllib.parse import unquote

from msgspec import Struct

from inhouse.server.exchange import Exchange

Handle = Callable[[Exchange], Awaitable[None]]


class Dialect(Enum):
    """Whose error shape an endpoint speaks."""

    OPENAI = "openai"
    ADMIN = "admin"


class Endpoint(Struct, frozen=True, kw_only=True):
    """A door: `path` is a template such as ``/v1/models/{name}``, and its name in the records.

    `recorded` is whether each request leaves a trace; probes and pages leave none.
    """

    method: str
    path: str
    handle: Handle
    dialect: Dialect = Dialect.ADMIN
    recorded: bool = True


class Found(Struct, frozen=True):
    """What stands at a path: its endpoints by method, and the path's variables."""

    endpoints: dict[str, Endpoint]
    variables: dict[str, str]


class Router:
    """Finds endpoints: in one step where the path has no variables, which the hot ones have not."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        """Sort the endpoints by path."""
        self._fixed: dict[str, Found] = {}
        self._templates: dict[tuple[str, ...], dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            if "{" in endpoint.path:
                parts = tuple(endpoint.path.split("/"))
                self._templates.setdefault(parts, {})[endpoint.method] = endpoint
            else:
                found = self._fixed.setdefault(endpoint.path, Found({}, {}))
                found.endpoints[endpoint.method] = endpoint

    def find(self, path: str, raw_path: bytes) -> Found | None:
        """Return what stands at a path; `raw_path` is the same, still percent-encoded."""
        fixed = self._fixed.get(path)
        return fixed if fixed is not None else self._match(raw_path.decode("latin-1"))

    def _match(self, raw_path: str) -> Found | None:
        # Split before decoding, so that an encoded slash stays in its variable.
        parts = raw_path.split("/")
        for template, endpoints in self._templates.items():
            variables = _variables(template, parts)
            if variables is not None:
                return Found(endpoints, variables)
        return None


def _variables(template: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    if len(template) != len(parts):
        return None
    variables: dict[str, str] = {}
    for expected, part in zip(template, parts, strict=True):
        if expected.startswith("{"):
            variables[expected[1:-1]] = unquote(part)
        elif expected != part:
            return None
    return variables
