"""From method and path to the endpoint that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import unquote

from msgspec import Struct

from inhouse.server.dialect import Dialect
from inhouse.server.exchange import Exchange

Handle = Callable[[Exchange], Awaitable[None]]


class Endpoint(Struct, frozen=True, kw_only=True):
    """A door: `path` is a template such as ``/v1/models/{name}``, and its name in the records.

    `recorded` is whether each request leaves a trace; probes and pages leave none. A last variable
    that is written ``{name...}`` takes the rest of the path, slashes included.
    """

    method: str
    path: str
    handle: Handle
    dialect: Dialect
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
        """Return what stands at a path; `raw_path` is the same, still percent-encoded.

        GitLab joins its gateway's URL and a path as they are written, so that a slash at the URL's
        end makes two: at the doors for GitLab they count as one.
        """
        fixed = self._fixed.get(path)
        found = fixed if fixed is not None else self._match(raw_path.decode("latin-1"))
        if found is None and path.startswith("//"):
            meant = self.find("/" + path.lstrip("/"), b"/" + raw_path.lstrip(b"/"))
            shared = meant and any(each.dialect.shared for each in meant.endpoints.values())
            return meant if shared else None
        return found

    def _match(self, raw_path: str) -> Found | None:
        # Split before decoding, so that an encoded slash stays in its variable.
        parts = raw_path.split("/")
        for template, endpoints in self._templates.items():
            variables = _variables(template, parts)
            if variables is not None:
                return Found(endpoints, variables)
        return None


def _variables(template: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    rest = template[-1].removesuffix("...}")
    if rest != template[-1] and len(parts) > len(template):
        last = len(template) - 1
        parts = [*parts[:last], "/".join(parts[last:])]
    if len(template) != len(parts):
        return None
    variables: dict[str, str] = {}
    for expected, part in zip(template, parts, strict=True):
        if expected.startswith("{"):
            variables[expected[1:-1].removesuffix("...")] = unquote(part)
        elif expected != part:
            return None
    return variables
