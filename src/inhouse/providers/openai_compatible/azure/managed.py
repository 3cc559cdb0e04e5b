"""Tokens of a machine's managed identity, from where its platform issues them.

Virtual machines and AKS nodes ask the metadata service at a link-local address. App Service,
Functions and Container Apps set ``IDENTITY_ENDPOINT`` and ``IDENTITY_HEADER``. Arc sets
``IDENTITY_ENDPOINT`` and ``IMDS_ENDPOINT``, and wants to see a file that it names.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from msgspec import Struct

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.openai_compatible.azure.issuer import Issued, Issuer
from inhouse.providers.openai_compatible.azure.tokens import Token
from inhouse.transport import header_block

METADATA = "http://169.254.169.254"
ARC_KEYS = Path("/var/opt/azcmagent/tokens")
LARGEST_ARC_KEY = 4096
_REALM = re.compile(r'\ABasic realm="?([^"]+?)"?\Z', re.IGNORECASE)


class Source(Struct, frozen=True, kw_only=True):
    """Where a machine gets tokens: `url` up to the query, the api-version, the headers it wants."""

    url: str
    version: str
    headers: dict[str, str]


def source(environment: Mapping[str, str]) -> Source:
    """Return where this machine gets tokens, by what its platform has set."""
    endpoint = environment.get("IDENTITY_ENDPOINT", "")
    if endpoint and (shown := environment.get("IDENTITY_HEADER")):
        return Source(url=endpoint, version="2019-08-01", headers={"x-identity-header": shown})
    if endpoint and environment.get("IMDS_ENDPOINT"):
        return Source(url=endpoint, version="2020-06-01", headers={"metadata": "true"})
    host = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", METADATA).rstrip("/")
    url = f"{host}/metadata/identity/oauth2/token"
    return Source(url=url, version="2018-02-01", headers={"metadata": "true"})


class Managed:
    """A managed identity: the machine's own, or the one with `client_id` of several."""

    def __init__(
        self, issuer: Issuer, found: Source, resource: str, client_id: str, keys: Path = ARC_KEYS
    ) -> None:
        """Ask for tokens for `resource`; Arc's files are in `keys`, and read nowhere else."""
        self.endpoints = issuer.endpoints
        self._issuer = issuer
        self._keys = keys
        self._client_id = client_id
        query = {"api-version": found.version, "resource": resource}
        if client_id:
            query["client_id"] = client_id
        self._url = f"{found.url}?{urlencode(query)}"

    def check(self) -> None:
        """Find nothing wrong: only the machine can tell."""

    async def fetch(self) -> Token:
        """Return a new token; raises `UpstreamError`, which names the field."""
        try:
            issued = await self._issuer.ask("GET", self._url)
            if issued.status == 401 and (named := _REALM.match(issued.header("www-authenticate"))):
                key = await asyncio.to_thread(self._arc_key, Path(named[1]))
                shown = header_block({"authorization": f"Basic {key}"})
                issued = await self._issuer.ask("GET", self._url, headers=shown)
        except UpstreamError as error:
            raise _nobody_there(error) from None
        token = issued.token()
        if token is None:
            raise self._refused(issued)
        return token

    def _refused(self, issued: Issued) -> UpstreamError:
        if self._client_id:
            param = "options.client_id"
            what = "This machine has no identity with that client_id: assign it, or correct it."
        else:
            param = "options.auth"
            what = (
                "Assign an identity to this machine; if it has several, say which one in the option"
                " client_id."
            )
        return self._issuer.refused(issued, what, param, [])

    def _arc_key(self, path: Path) -> str:
        """Return what is in a file of Arc's; raises `UpstreamError` for any other file."""
        try:
            inside = path.suffix == ".key" and path.resolve().parent == self._keys.resolve()
            if not inside or path.stat().st_size > LARGEST_ARC_KEY:
                raise UpstreamError(
                    UpstreamFailure.PROTOCOL,
                    f"{self._issuer.place} names a file that is none of Azure Arc's.",
                    param="options.auth",
                )
            return path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            raise UpstreamError(
                UpstreamFailure.AUTHENTICATION,
                f"The key of Azure Arc in {self._keys} cannot be read: let inhouse's user be a"
                " member of the group himds.",
                param="options.auth",
            ) from None


def _nobody_there(error: UpstreamError) -> UpstreamError:
    if error.param is not None:
        return error
    return UpstreamError(
        error.failure,
        f"This machine issues no token for Azure: {error} If it has no managed identity, take"
        " another way to authenticate with the option auth.",
        param="options.auth",
    )
