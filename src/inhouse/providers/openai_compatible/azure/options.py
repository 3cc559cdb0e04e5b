"""What ``[deployments.options]`` may hold for ``azure``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from inhouse.providers.openai_compatible.site import Options


class Auth(StrEnum):
    """How Azure is shown who asks: a key of the resource, or a token of Microsoft Entra ID."""

    KEY = "key"
    CLIENT_SECRET = "client_secret"  # noqa: S105 - a way to authenticate, no secret
    WORKLOAD_IDENTITY = "workload_identity"
    MANAGED_IDENTITY = "managed_identity"


class AzureOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said of a deployment on Azure.

    `api_version` is a date for the classic routes, ``v1`` or ``preview`` for the newer ones; unset,
    it is found out. `key_header` carries the key, as some gateways before Azure want another. The
    rest is about tokens: `tenant_id`, `client_id` and `federated_token_file` go before the
    variables of workload identity, `authority_host` and `scope` before those of Azure's public
    cloud, or of the sovereign one that the endpoint is in.
    """

    api_version: Annotated[
        str,
        Meta(
            pattern=r"^(v1|preview|\d{4}-\d{2}-\d{2}(-preview)?)?$",
            examples=["v1", "preview", "2024-10-21"],
        ),
    ] = ""
    key_header: str = "api-key"
    auth: Auth | None = None
    tenant_id: Annotated[str, Meta(pattern=r"^[\w.-]*$")] = ""
    client_id: str = ""
    federated_token_file: str = ""
    authority_host: str = ""
    scope: str = ""
