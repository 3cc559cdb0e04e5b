"""``/v1/code/user_access_token``: tokens for editors that ask us directly."""

from __future__ import annotations

import msgspec

from inhouse.core.catalog import Role
from inhouse.errors import ForbiddenError, StoreError
from inhouse.identity import Issued
from inhouse.server.api.gitlab.door import INSTANCE, REALM, Visitor, admit, text
from inhouse.server.api.gitlab.refusals import GITLAB, refuse
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint

SCOPES = ("complete_code", "ai_gateway_model_provider_proxy")
"""What editors may do on their own."""
UNAUTHORIZED = "Unauthorized to create user access token"
_OF_SAAS = ("project_id", "namespace_id", "root_namespace_id")


async def user_access_token(exchange: Exchange) -> None:
    """Answer with a token for the user for whom a GitLab asks."""
    visitor = await admit(exchange)
    visitor.require(*SCOPES, why=UNAUTHORIZED)
    if visitor.caller.role is Role.AUDITOR:
        raise ForbiddenError(UNAUTHORIZED)
    await exchange.body()
    try:
        issued = await mint(exchange, visitor)
    except StoreError as error:
        exchange.gateway.log.failure("no token for an editor", why=error.message)
        await refuse(exchange, error, 500, "Failed to generate JWT")
        return
    await exchange.answer(
        msgspec.json.encode({"token": issued.token, "expires_at": issued.expires_at})
    )


async def mint(exchange: Exchange, visitor: Visitor) -> Issued:
    """Return a token by which an editor speaks for `visitor`; raises `StoreError`.

    It holds for the visitor's user, and the instance and realm that the request's headers name.
    """
    realm = text(exchange, REALM)
    claims: dict[str, object] = {
        "sub": visitor.user,
        "gitlab_realm": realm,
        "gitlab_instance_id": text(exchange, INSTANCE),
        "scopes": [each for each in SCOPES if visitor.may(each)],
        **_owner(visitor),
    }
    if realm == "self-managed":
        uid = visitor.claims.gitlab_instance_uid if visitor.claims is not None else None
        claims["gitlab_instance_uid"] = uid or ""
    elif realm == "saas":
        for name in _OF_SAAS:
            header = f"x-gitlab-{name.replace('_', '-')}".encode()
            claims[f"gitlab_{name}"] = text(exchange, header)
    return await exchange.gateway.identity.issue(claims)


def _owner(visitor: Visitor) -> dict[str, str]:
    """Return the claim by which we find again whose limits and models hold for the token."""
    caller = visitor.caller
    if visitor.claims is None:
        return {"inhouse_key": caller.name, "inhouse_mark": caller.mark}
    return {"inhouse_instance": caller.name}


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/code/user_access_token",
        handle=user_access_token,
        dialect=GITLAB,
    ),
)
