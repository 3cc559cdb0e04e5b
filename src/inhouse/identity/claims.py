"""What a token claims, read before anybody believes it."""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

LARGEST = 16 * 1024
"""Characters of a token; GitLab's have about two thousand."""
ALGORITHM = "RS256"


class Claims(Struct, frozen=True, kw_only=True):
    """The claims of a token that we read; `exp`, `nbf` and `iat` are Unix times in seconds.

    `inhouse_instance` and `inhouse_key` are in our own tokens: for whom they were issued, a GitLab
    instance or the holder of an API key, by name; `inhouse_mark` is that key's own (`Caller`).
    """

    iss: str
    exp: float
    aud: str | tuple[str, ...] = ""
    sub: str = ""
    nbf: float | None = None
    iat: float | None = None
    scopes: tuple[str, ...] = ()
    gitlab_realm: str | None = None
    gitlab_instance_id: str | None = None
    gitlab_instance_uid: str | None = None
    inhouse_instance: str = ""
    inhouse_key: str = ""
    inhouse_mark: str = ""


class Unproven(Struct, frozen=True):
    """A token's key id, and what it claims."""

    kid: str
    claims: Claims


class Refusal(Struct, frozen=True):
    """Why a token is refused: a word for its kind, and a sentence for the log."""

    kind: str
    why: str


class _Header(Struct):
    alg: str
    kid: str = ""


_header = msgspec.json.Decoder(_Header)
_claims = msgspec.json.Decoder(Claims)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError)


def read(token: str) -> Unproven | Refusal:
    """Return what is in a token, whoever signed it."""
    if len(token) > LARGEST:
        return Refusal("size", f"It has {len(token)} characters; at most {LARGEST} are read.")
    parts = token.split(".")
    if len(parts) != 3:
        return Refusal("form", "It is neither a token of GitLab nor an API key of ours.")
    try:
        header = _header.decode(_decoded(parts[0]))
    except _UNREADABLE as error:
        return Refusal("form", f"Its header cannot be read: {shown(str(error))}.")
    if header.alg != ALGORITHM:
        return Refusal(
            "algorithm", f"It is signed with {shown(header.alg)}; {ALGORITHM} alone counts."
        )
    try:
        return Unproven(header.kid, _claims.decode(_decoded(parts[1])))
    except _UNREADABLE as error:
        return Refusal("claims", f"Its claims cannot be read: {shown(str(error))}.")


def shown(text: str) -> str:
    """Return a stranger's text as a log may hold it."""
    return ascii(text[:120])


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
