"""Where the routes of the Messages API are, below what people write into ``endpoint``."""

from __future__ import annotations

import re

DEFAULT = "https://api.anthropic.com"
_ROUTES = re.compile(r"(?:/(?:v1|messages|count_tokens|models|complete))+\Z")
_SLASHES = re.compile(r"\s*/[\s/]*")


def heal(endpoint: str) -> tuple[str, str | None]:
    """Return the address without its version, and a remark where `endpoint` should be another.

    With and without ``/v1`` are both usual, so neither is remarked upon. A whole route, slashes and
    a query are cut off. None written means Anthropic's own.
    """
    written = endpoint.strip() or DEFAULT
    scheme, separator, rest = written.partition("://")
    if not separator:
        return written, None
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, _, path = rest.partition("/")
    path = _SLASHES.sub("/", f"/{path}").rstrip("/")
    root = f"{scheme.lower()}://{host.strip()}{_ROUTES.sub('', path)}"
    usual = {root, f"{root}/", f"{root}/v1", f"{root}/v1/"}
    return root, None if written in usual else f"The endpoint should be {root}"
