"""Who is asking: the key in the headers, and what its role allows."""

from __future__ import annotations

from collections.abc import Mapping

from inhouse.core.catalog import Role
from inhouse.core.requests import Caller
from inhouse.errors import AuthenticationError, ForbiddenError

KEY_HEADERS = (b"api-key", b"x-api-key")
"""Where Azure's and Anthropic's clients put the key."""


def key(headers: Mapping[bytes, bytes]) -> str:
    """Return the key that a request carries.

    Raises:
        AuthenticationError: it carries none.

    """
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer":
        token = next((headers[name] for name in KEY_HEADERS if name in headers), b"")
    token = token.strip()
    if not token:
        raise AuthenticationError(
            "This request carries no API key. Send the header 'Authorization: Bearer KEY'."
        )
    return token.decode("latin-1")


def require_admin(caller: Caller) -> None:
    """Raise `ForbiddenError` unless the caller may change the registry."""
    if caller.role is not Role.ADMIN:
        raise ForbiddenError(
            f"The key '{caller.name}' has the role '{caller.role}'; this needs the role 'admin'."
        )


def require_reader(caller: Caller) -> None:
    """Raise `ForbiddenError` unless the caller may read the registry."""
    if caller.role is Role.DEVELOPER:
        raise ForbiddenError(
            f"The key '{caller.name}' has the role 'developer'; this needs 'admin' or 'auditor'."
        )
