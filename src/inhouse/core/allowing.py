"""Patterns of what a request may name: URLs by their parts, and identifiers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from inhouse.core.endpoints import PORTS, Endpoint, normal_host

ANY = "*"
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/?#@\[\]\s\\%]+)"
    r"(?::(?P<port>[0-9]{1,5}|\*))?(?P<path>/[^?#@\s\\%]*)?\Z",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9_*-]{1,63}\Z")
_VERSION = re.compile(r"v[0-9]+\Z")


class UrlPattern(Struct, frozen=True, kw_only=True):
    """What URLs may be: the scheme, the labels of the host, the port, the steps of the path.

    A ``*`` stands for anything within a label or step. A label that is one stands for one or more,
    a last step that is one for any or none. A `port` that is None is any.
    """

    scheme: str
    labels: tuple[str, ...]
    port: int | None
    steps: tuple[str, ...]

    def admits(self, endpoint: Endpoint) -> bool:
        """Tell whether it allows a URL."""
        return (
            endpoint.scheme == self.scheme
            and self.port in {None, endpoint.port}
            and self._admits_host(endpoint.host)
            and self._admits_path(endpoint)
        )

    def _admits_host(self, host: str) -> bool:
        if self.labels == (ANY,):
            return True
        labels = host.split(".") if ":" not in host else [host]
        head, *rest = self.labels
        if head == ANY and not _numeric(self.labels):
            return len(labels) > len(rest) and _fits(rest, labels[len(labels) - len(rest) :])
        # ``10.0.0.*`` means addresses, and not the name 10.0.0.evil.
        digits = not _numeric(self.labels) or all(each.isdecimal() for each in labels)
        return digits and _fits(self.labels, labels)

    def _admits_path(self, endpoint: Endpoint) -> bool:
        if self.steps[-1:] == (ANY,):
            steps = _steps(endpoint.path)
            least = len(self.steps) - 1
            return len(steps) >= least and _fits(self.steps[:-1], steps[:least])
        steps = _steps(endpoint.root.path)
        return _fits(_unversioned(self.steps), steps)


class IdentifierPattern(Struct, frozen=True, kw_only=True):
    """What identifiers may be: the provider exactly, its model with ``*`` for anything."""

    provider: str
    model: str

    def admits(self, identifier: str) -> bool:
        """Tell whether it allows ``provider/model``."""
        provider, _, model = identifier.partition("/")
        return provider == self.provider and _glob(self.model, model)


class Allowed:
    """What requests may name, as the list ``gitlab.allowed_endpoints`` says."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Read the patterns; raises ValueError, which names the wrong one."""
        read = [parse_pattern(each) for each in patterns]
        self._urls = [each for each in read if isinstance(each, UrlPattern)]
        self._identifiers = [each for each in read if isinstance(each, IdentifierPattern)]

    def endpoint(self, endpoint: Endpoint) -> bool:
        """Tell whether a request may name this URL."""
        return any(each.admits(endpoint) for each in self._urls)

    def identifier(self, identifier: str) -> bool:
        """Tell whether a request may name this model without a URL."""
        return any(each.admits(identifier) for each in self._identifiers)


def parse_pattern(text: str) -> UrlPattern | IdentifierPattern:
    """Read one pattern; raises ValueError where it is none, or allows more than it seems to."""
    if "://" in text:
        return _url_pattern(text)
    provider, slash, model = text.partition("/")
    if not (provider and slash and model) or ANY in provider or not text.isprintable():
        raise ValueError(
            f"'{text}' is neither a URL, as in http://gpu.example:8000/*, nor PROVIDER/MODEL, as in"
            " bedrock/*"
        )
    return IdentifierPattern(provider=provider, model=model)


def _url_pattern(text: str) -> UrlPattern:
    found = _URL.match(text)
    if found is None:
        raise ValueError(f"'{text}' is no URL with '*', as in https://*.models.example:8000/*")
    try:
        labels = _labels(found["host"])
    except ValueError as error:
        raise ValueError(f"'{text}': {error}") from None
    scheme, port, path = found["scheme"].lower(), found["port"], found["path"]
    number = None if port == ANY else int(port or PORTS[scheme])
    if number is not None and not 0 < number < 65536:
        raise ValueError(f"'{text}': there is no port {number}")
    steps = (ANY,) if path is None else _steps(path)
    if {".", ".."} & set(steps):
        raise ValueError(f"'{text}': no URL with a step '.' or '..' is ever allowed")
    return UrlPattern(scheme=scheme, labels=labels, port=number, steps=steps)


def _labels(host: str) -> tuple[str, ...]:
    if ANY not in host:
        host = normal_host(host)
        return (host,) if ":" in host else tuple(host.split("."))
    labels = tuple(host.lower().removesuffix(".").split("."))
    if not all(map(_LABEL.match, labels)):
        raise ValueError("a host with '*' consists of letters, digits, '-', '.' and '*'")
    if len(labels) > 1 and not _numeric(labels):
        if ANY in labels[1:]:
            raise ValueError("a '*' that is a label of its own stands first, as in *.example")
        if ANY in labels[-1]:
            # Anybody can own a name that ends so.
            raise ValueError("the last label of the host has a '*'; write it in full")
    return labels


def _numeric(labels: Sequence[str]) -> bool:
    """Tell whether labels are those of IPv4 addresses."""
    return len(labels) == 4 and all(each.isdecimal() or each == ANY for each in labels[1:])


def _steps(path: str) -> tuple[str, ...]:
    return tuple(step for step in path.split("/") if step)


def _unversioned(steps: tuple[str, ...]) -> tuple[str, ...]:
    while steps and _VERSION.match(steps[-1]):
        steps = steps[:-1]
    return steps


def _fits(patterns: Sequence[str], parts: Sequence[str]) -> bool:
    return len(patterns) == len(parts) and all(map(_glob, patterns, parts))


def _glob(pattern: str, text: str) -> bool:
    """Match with ``*`` for anything, in linear time."""
    first, *rest = pattern.split(ANY)
    if not rest:
        return pattern == text
    if not text.startswith(first) or len(text) < len(first) + len(rest[-1]):
        return False
    at = len(first)
    for piece in rest[:-1]:
        at = text.find(piece, at, len(text) - len(rest[-1]))
        if at < 0:
            return False
        at += len(piece)
    return text.endswith(rest[-1])
