"""Who asks: a GitLab instance by its token, an editor by one of ours, or the holder of a key."""

from __future__ import annotations

from msgspec import Struct

from inhouse.core.requests import Caller
from inhouse.errors import ForbiddenError
from inhouse.server.exchange import Exchange

USER = b"x-gitlab-global-user-id"


class Visitor(Struct, frozen=True, kw_only=True):
    """An authenticated request's caller.

    `user` is whom it asks for. `scopes` are what GitLab's licence allows; None for one of our own
    API keys, which may do what its role and models allow. `issued_here` is whether its token is one
    that we issued to an editor.
    """

    caller: Caller
    user: str = ""
    scopes: frozenset[str] | None = None
    issued_here: bool = False

    def may(self, *scopes: str) -> bool:
        """Tell whether any of the scopes is there."""
        return self.scopes is None or not self.scopes.isdisjoint(scopes)

    def require(self, *scopes: str, why: str, editors: bool = False) -> None:
        """Raise `ForbiddenError` with the words `why` unless any of the scopes is there.

        Tokens that we issued to `editors` pass only where that is said.
        """
        if not self.may(*scopes) or (self.issued_here and not editors):
            raise ForbiddenError(why)


async def admit(exchange: Exchange) -> Visitor:
    """Return who asks, and note it; raises `AuthenticationError` with GitLab's words."""
    caller = exchange.authenticate()
    user = exchange.headers.get(USER, b"").decode("latin-1")[:255]
    exchange.recording.user = user
    return Visitor(caller=caller, user=user)
