"""Who asks: a GitLab instance by its token, an editor by one of ours, or the holder of a key.

The checks, their order and their words are GitLab's.
"""

from __future__ import annotations

from msgspec import Struct

from inhouse.core.catalog import Role, Team
from inhouse.core.requests import Caller
from inhouse.errors import AuthenticationError, ForbiddenError
from inhouse.gateway import Gateway
from inhouse.identity import Claims, Instance, Verified
from inhouse.server.exchange import Exchange

USER = b"x-gitlab-global-user-id"
INSTANCE = b"x-gitlab-instance-id"
REALM = b"x-gitlab-realm"
KIND = b"x-gitlab-authentication-type"
LONGEST_USER = 255

FORBIDDEN = "Forbidden by auth provider"


class Visitor(Struct, frozen=True, kw_only=True):
    """An authenticated request's caller.

    `user` is whom it asks for. `claims` are those of its token, None for one of our own API keys,
    which may do what its role and models allow. `issued_here` is whether the token is one that we
    issued to an editor.
    """

    caller: Caller
    user: str = ""
    claims: Claims | None = None
    issued_here: bool = False

    def asks_for(self, request: str) -> str:
        """Return who tells this request's completions from those of others.

        Where an instance does not say for whom it asks, nobody may take its `request`'s place.
        """
        return self.user or ("" if self.claims is None else request)

    def may(self, *scopes: str) -> bool:
        """Tell whether any of the scopes is there."""
        return self.claims is None or any(each in self.claims.scopes for each in scopes)

    def require(self, *scopes: str, why: str, editors: bool = False) -> None:
        """Raise `ForbiddenError` with the words `why` unless any of the scopes is there.

        Tokens that we issued to `editors` pass only where that is said.
        """
        if not self.may(*scopes) or (self.issued_here and not editors):
            raise ForbiddenError(why)


async def admit(exchange: Exchange) -> Visitor:
    """Return who asks, and note it; raises `AuthenticationError` with GitLab's words."""
    visitor = await _visitor(exchange)
    recording = exchange.recording
    recording.caller = visitor.caller.name
    recording.team = visitor.caller.team
    recording.user = visitor.user
    return visitor


def text(exchange: Exchange, name: bytes) -> str:
    """Return a header, empty where it is missing; some clients write ``null`` for nothing."""
    value = exchange.headers.get(name, b"").decode("latin-1").strip()
    return "" if value == "null" else value


async def _visitor(exchange: Exchange) -> Visitor:
    user = text(exchange, USER)[:LONGEST_USER]
    token = _token(exchange)
    gateway = exchange.gateway
    try:
        return Visitor(caller=gateway.authenticate(token), user=user)
    except AuthenticationError:
        pass  # no key of ours: most are tokens
    if text(exchange, KIND) != "oidc":
        raise AuthenticationError("Invalid authentication token type - only OIDC is supported")
    verified = await gateway.identity.verify(token)
    if verified is None:
        raise AuthenticationError(FORBIDDEN)
    caller = _caller(gateway, verified)
    claims, ours = verified.claims, verified.instance is None
    instance, realm = text(exchange, INSTANCE), text(exchange, REALM)
    _compare(gateway, "X-Gitlab-Instance-Id", instance, claims.gitlab_instance_id)
    _compare(gateway, "X-Gitlab-Realm", realm, claims.gitlab_realm)
    if ours:
        _compare(gateway, "X-Gitlab-Global-User-Id", user, claims.sub)
    return Visitor(caller=caller, user=user, claims=claims, issued_here=ours)


def _token(exchange: Exchange) -> str:
    header = exchange.headers.get(b"authorization")
    if header is None:
        raise AuthenticationError("No authorization header presented")
    scheme, _, token = header.decode("latin-1").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise AuthenticationError("Invalid authorization header")
    return token


def _compare(gateway: Gateway, name: str, value: str, claim: str | None) -> None:
    """Raise `AuthenticationError` where a header differs from its claim, unless that is empty."""
    if claim and value != claim:
        why = f"Its header {name} is not what the token says; something on the way changes it."
        gateway.identity.refused("header", why)
        raise AuthenticationError(f"Header mismatch '{name}'")


def _caller(gateway: Gateway, verified: Verified) -> Caller:
    """Return for whom a token speaks; raises `AuthenticationError` where that is nobody any more.

    Tokens that another gateway signed with a key of ours do not say for whom: with one instance
    alone it can be no other.
    """
    claims, instances = verified.claims, gateway.identity.instances
    if verified.instance is not None:
        return _speaker(gateway, verified.instance)
    if claims.inhouse_key:
        found = gateway.holder(claims.inhouse_key)
        if found is not None and found.mark != claims.inhouse_mark:
            found = None  # the key is gone, and another one has its name
    else:
        name = claims.inhouse_instance or (next(iter(instances)) if len(instances) == 1 else "")
        found = _speaker(gateway, instances[name]) if name in instances else None
    if found is None:
        gateway.identity.refused("owner", "The key or instance that it was issued for is gone.")
        raise AuthenticationError(FORBIDDEN)
    return found


def _speaker(gateway: Gateway, instance: Instance) -> Caller:
    team = gateway.catalog.teams.get(instance.team) or Team(name=instance.team)
    return Caller(instance.name, Role.DEVELOPER, team=team.name, team_limits=team.limits)
