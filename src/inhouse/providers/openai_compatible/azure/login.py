"""Tokens of Microsoft Entra ID for an application: by its secret, or by a pod's own token.

The client-credentials flow of OAuth 2.0 at ``/{tenant}/oauth2/v2.0/token``. Workload identity
shows, in the secret's place, the token that Kubernetes keeps in a file and replaces at times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from inhouse.core.catalog import Deployment
from inhouse.core.secret import Secret
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.providers.connecting import fault
from inhouse.providers.openai_compatible.azure.issuer import Issued, Issuer
from inhouse.providers.openai_compatible.azure.tokens import Token

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TENANT = ("options.tenant_id", "It knows no such directory: correct the option tenant_id.")
_CLIENT = (
    "options.client_id",
    "The directory has no such application: correct the option client_id, or tenant_id.",
)
_FEDERATION = (
    "options.federated_token_file",
    "No federated credential of the application has the pod's issuer, subject and audience.",
)
_REASONS = {
    7000215: (
        "api_key",
        "The client secret is wrong: api_key takes the secret's value, which is not its id.",
    ),
    7000222: ("api_key", "The client secret has expired: make a new one and set it as api_key."),
    90002: _TENANT,
    900023: _TENANT,
    900971: _TENANT,
    700016: _CLIENT,
    70021: _FEDERATION,
    700211: _FEDERATION,
    700212: _FEDERATION,
    700213: _FEDERATION,
    700024: ("options.federated_token_file", "The pod's token has expired; is its file replaced?"),
    500011: ("options.scope", "It does not know the service: correct the option scope."),
    70011: ("options.scope", "It does not know the service: correct the option scope."),
}
"""What Entra's numbers (AADSTS…) mean: the field to correct, and how."""


class Login:
    """An application at Microsoft Entra ID."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        url: str,
        client_id: str,
        scope: str,
        proof: Callable[[], tuple[str, str]],
    ) -> None:
        """`proof` returns the parameter that proves who asks, and its value; it may read a file."""
        self.endpoints = issuer.endpoints
        self._issuer = issuer
        self._url = url
        self._fields = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "scope": scope,
        }
        self._proof = proof

    def check(self) -> None:
        """Raise `ConfigError` where the proof cannot be read."""
        self._proof()

    async def fetch(self) -> Token:
        """Return a new token; raises `UpstreamError` or `ConfigError`, which name the field."""
        name, value = await asyncio.to_thread(self._proof)
        fields = {**self._fields, name: value}
        if name == "client_assertion":
            fields["client_assertion_type"] = _ASSERTION_TYPE
        try:
            issued = await self._issuer.ask("POST", self._url, urlencode(fields).encode())
        except UpstreamError as error:
            if error.failure is UpstreamFailure.UNREACHABLE:
                error.param = "options.authority_host"
            raise
        token = issued.token()
        if token is None:
            param, what = _reason(issued, name)
            raise self._issuer.refused(issued, what, param, [value])
        return token


def secret(key: Secret) -> Callable[[], tuple[str, str]]:
    """Return the proof by a client secret."""
    return lambda: ("client_secret", key.reveal())


def federated(deployment: Deployment, path: str) -> Callable[[], tuple[str, str]]:
    """Return the proof by the token in a file, which is read each time."""

    def proof() -> tuple[str, str]:
        try:
            return "client_assertion", Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(deployment, path, error) from None

    return proof


def _unreadable(deployment: Deployment, path: str, error: Exception) -> ConfigError:
    why = error.strerror if isinstance(error, OSError) else "it is no text"
    return fault(
        deployment, "options.federated_token_file", f"the file '{path}' cannot be read: {why}"
    )


def _reason(issued: Issued, proof: str) -> tuple[str, str]:
    codes: Any = issued.body.get("error_codes")
    if isinstance(codes, list):
        for code in cast("list[Any]", codes):
            if isinstance(code, int) and code in _REASONS:
                return _REASONS[code]
    if not issued.body:
        return "options.authority_host", "Its answer is not Microsoft Entra ID's."
    if proof == "client_secret":
        return "api_key", "Check api_key, tenant_id and client_id."
    return "options.client_id", "Check client_id, tenant_id and the application's credentials."
