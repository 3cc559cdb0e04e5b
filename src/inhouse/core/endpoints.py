"""URLs of model servers as strangers write them, brought to one form that can be compared."""

from __future__ import annotations

import ipaddress
import re

from msgspec import Struct

PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(?P<scheme>https?)://(?P<place>[^/?#]+)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?\Z")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?\Z")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_ROUTES = re.compile(
    r"(?:/(?:chat/completions|completions|embeddings|models|messages|responses))+\Z"
)
_VERSIONS = re.compile(r"(?:/v[0-9]+)+\Z")


class Endpoint(Struct, frozen=True, kw_only=True):
    """A URL, taken apart: host in lower case, IDNA and without a dot at its end.

    `path` is empty or begins with a slash; it has no slash at its end nor two in a row, and no
    route of the dialect. `query` begins with its question mark.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    query: str = ""

    @property
    def place(self) -> str:
        """Host, and the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a secret."""
        return f"{self.scheme}://{self.place}{self.path}"

    @property
    def url(self) -> str:
        """The URL; to ask this one, and not what was read, leaves no room for other readings."""
        return self.shown + self.query

    @property
    def root(self) -> Endpoint:
        """The same without a version at the end of the path: people write it with and without."""
        return Endpoint(
            scheme=self.scheme, host=self.host, port=self.port, path=_VERSIONS.sub("", self.path)
        )


def read_endpoint(text: str) -> Endpoint:
    """Read a URL; what two programs might read differently is refused, not guessed at.

    Raises:
        ValueError: it is no URL, or one with credentials, ``..``, escapes or a fragment; the
            message does not show it.

    """
    text = text.strip()
    if "://" not in text or text.partition("://")[0].lower() not in PORTS:
        raise ValueError("it does not begin with http:// or https://")
    if not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("it holds a blank, a backslash or a character that cannot be printed")
    if "@" in text:
        raise ValueError("it holds an '@'; credentials belong into the field of the key")
    scheme, _, rest = text.partition("://")
    found = _URL.match(f"{scheme.lower()}://{rest}")
    if found is None:
        raise ValueError("it names no host, or has a '#'")
    place = _PLACE.match(found["place"])
    if place is None:
        raise ValueError("it names no host and port, as in http://gpu.example:8000/v1")
    port = int(place["port"] or PORTS[found["scheme"]])
    if not 0 < port < 65536:
        raise ValueError(f"there is no port {port}")
    query = found["query"] or ""
    if not query.isascii():
        raise ValueError("what follows its '?' is not plain ASCII")
    return Endpoint(
        scheme=found["scheme"],
        host=normal_host(place["host"]),
        port=port,
        path=_path(found["path"] or ""),
        query=query if len(query) > 1 else "",
    )


def normal_host(text: str) -> str:
    """Return a host as `Endpoint` has it; raises ValueError where it is none."""
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError("what its brackets hold is no IPv6 address") from None
    try:
        name = text.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise ValueError("its host is no name that the DNS could hold") from None
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.match, labels)):
        raise ValueError("its host is no name that the DNS could hold")
    if _NUMBER.match(labels[-1]):
        # Resolvers take 127.1 and 0x7f000001 for addresses; whoever compares texts does not.
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise ValueError("its host is an address in an unusual form") from None
    return name


def _path(text: str) -> str:
    if not text.isascii() or "%" in text:
        raise ValueError("its path has an escape or is not plain ASCII")
    path = re.sub(r"/{2,}", "/", text).rstrip("/")
    # Some servers drop what follows a semicolon before they look at the steps.
    if any(step.partition(";")[0] in {".", ".."} for step in path.split("/")):
        raise ValueError("its path has a step '.' or '..'")
    return _ROUTES.sub("", path)
