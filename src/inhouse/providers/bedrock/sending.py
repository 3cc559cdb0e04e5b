"""Requests to Bedrock's runtime, authorised by whom their deployment is."""

from __future__ import annotations

import asyncio

from inhouse.core.ports import ProviderContext
from inhouse.core.requests import Params
from inhouse.errors import UpstreamError
from inhouse.providers.bedrock.chain import load, resolve
from inhouse.providers.bedrock.credentials import Credentials
from inhouse.providers.bedrock.failures import unreachable
from inhouse.providers.bedrock.identity import Identity
from inhouse.providers.bedrock.signing import Keys
from inhouse.providers.bedrock.upstream import Upstream
from inhouse.providers.connecting import LARGEST_REFUSAL
from inhouse.transport import Response, Transport
from inhouse.wire.bedrock.refusals import Cause, Refusal, refusal

_KEYS_AT_FAULT = {Cause.EXPIRED, Cause.UNKNOWN_KEY}


class Sender:
    """Sends what is signed with the keys of an identity, which deployments may share."""

    def __init__(self, context: ProviderContext) -> None:
        """Open nothing, and import nothing, yet."""
        self._egress = context.egress
        self._transport = Transport(
            context.egress, authorities=context.authorities, http_client=context.http_client
        )
        self._credentials: dict[Identity, Credentials] = {}
        self._loaded = False

    def keep(self, identities: set[Identity]) -> None:
        """Forget the keys of all other identities: nobody asks as these any more."""
        for identity in self._credentials.keys() - identities:
            del self._credentials[identity]

    async def send(
        self,
        upstream: Upstream,
        target: str,
        body: bytes,
        params: Params,
        headers: bytes = b"",
    ) -> tuple[Response, Refusal | None]:
        """Return an answer, and what it says where it is none; expired keys are renewed once."""
        credentials = await self._credentials_of(upstream.identity)
        patience = min(params.deadlines.first_token, params.deadlines.total)
        keys = None if credentials is None else await credentials.keys(patience)
        response, found = await self._send_as(upstream, keys, target, body, params, headers)
        if found is None or found.cause not in _KEYS_AT_FAULT:
            return response, found
        if credentials is None or keys is None:
            return response, found
        others = await credentials.replaced(keys, patience)
        if others == keys:
            return response, found
        return await self._send_as(upstream, others, target, body, params, headers)

    async def _send_as(
        self,
        upstream: Upstream,
        keys: Keys | None,
        target: str,
        body: bytes,
        params: Params,
        headers: bytes,
    ) -> tuple[Response, Refusal | None]:
        fields = upstream.authorization(keys, target, body)
        try:
            response = await upstream.connecting.request(
                self._transport,
                "POST",
                upstream.url(target),
                headers=fields + headers,
                body=body,
                params=params,
            )
        except UpstreamError as error:
            raise unreachable(upstream, error) from None
        if response.status == 200:
            return response, None
        said = await response.read(LARGEST_REFUSAL)
        return response, refusal(response.status, response.header("x-amzn-errortype"), said)

    async def _credentials_of(self, identity: Identity) -> Credentials | None:
        """Return who signs, None where an API key is shown instead; loads botocore."""
        if not self._loaded:
            await asyncio.to_thread(load)
            self._loaded = True
        if identity.bearer:
            return None
        known = self._credentials.get(identity)
        if known is None:
            known = self._credentials[identity] = Credentials(
                lambda: resolve(identity, self._egress)
            )
        return known

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        await asyncio.gather(*(each.aclose() for each in self._credentials.values()))
        await self._transport.aclose()
