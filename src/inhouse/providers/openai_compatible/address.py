"""The base of an upstream's routes, made from what people paste into ``endpoint``."""

from __future__ import annotations

import re

_ROUTES = re.compile(r"/(?:chat/completions|completions|embeddings|models)\Z")
_DOUBLED = re.compile(r"(/v\d+)(?:/v\d+)+\Z")


def heal(endpoint: str) -> tuple[str, str | None]:
    """Return the base that routes are appended to, and a remark where that is not `endpoint`.

    A whole route, a doubled ``/v1`` and a query are cut off. ``/v1`` is added where there is no
    path at all; whether it is missing behind another path, only the upstream can tell.
    """
    scheme, separator, rest = endpoint.strip().partition("://")
    if not separator:
        return endpoint.strip(), None
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, _, path = rest.partition("/")
    path = re.sub(r"/{2,}", "/", f"/{path}").rstrip("/")
    path = _DOUBLED.sub(r"\1", _ROUTES.sub("", path))
    base = f"{scheme.lower()}://{host}{path or '/v1'}"
    if base == endpoint.strip().rstrip("/"):
        return base, None
    return base, f"The endpoint should be {base}"


def alternative(base: str) -> str:
    """Return the other address that people mean: with ``/v1`` if it has none, without if it has."""
    return base.removesuffix("/v1") if base.endswith("/v1") else f"{base}/v1"


def root(base: str) -> str:
    """Return where routes outside of the dialect are: the base without its version."""
    return re.sub(r"/v\d+\Z", "", base)
