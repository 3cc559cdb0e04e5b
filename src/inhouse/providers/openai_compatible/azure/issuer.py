"""A server that issues tokens, asked over our own transport."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import Place, ProviderContext
from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.connecting import Connecting, HttpOptions
from inhouse.providers.openai_compatible.azure.tokens import Token
from inhouse.transport import Response, Transport, split
from inhouse.wire.decoding import UNREADABLE
from inhouse.wire.openai.refusals import quote, retry_after

LARGEST_ANSWER = 256 * 1024
_LIFETIME = 300.0
"""Seconds that a token is trusted whose issuer does not say how long it lives."""
_PARAMS = Params(deadlines=Deadlines(connect=5, first_token=15, between_tokens=5, total=20))


class Issued(Struct, frozen=True, kw_only=True):
    """What an issuer answered; `body` is empty where it was no JSON object."""

    status: int
    body: dict[str, Any]
    header: Callable[[str], str]

    @property
    def said(self) -> str:
        """The reason for a refusal, without the numbers by which the issuer finds it again."""
        words = str(self.body.get("error_description") or self.body.get("error") or "")
        return " ".join(words.partition("Trace ID")[0].split())

    def token(self) -> Token | None:
        """Return the token, None where there is none."""
        value = self.body.get("access_token")
        if self.status != 200 or not isinstance(value, str) or not _fits_a_header(value):
            return None
        return Token(value, self._lifetime())

    def _lifetime(self) -> float:
        """Return the seconds that the token lives; App Service tells only when it ends."""
        try:
            if "expires_in" in self.body:
                lifetime = float(self.body["expires_in"])
            else:
                lifetime = float(self.body["expires_on"]) - time.time()
        except (KeyError, TypeError, ValueError, OverflowError):
            return _LIFETIME
        return max(0.0, lifetime) if math.isfinite(lifetime) else _LIFETIME


class Issuer:
    """One such server, below `base`; raises `ConfigError` where that is no address."""

    def __init__(
        self,
        deployment: Deployment,
        options: HttpOptions,
        context: ProviderContext,
        transport: Transport,
        base: str,
        headers: Mapping[str, str],
        *,
        direct: bool = False,
    ) -> None:
        """Send `headers` with each request.

        `direct` is for a machine's own platform, whose address the environment tells: it is asked
        through no proxy, and may be link-local.
        """
        # The upstream's own headers and client certificate are none of the issuer's business.
        mine = HttpOptions(
            ca_file=options.ca_file,
            proxy="" if direct else options.proxy,
            headers={"accept": "application/json", **headers},
        )
        self._connecting = Connecting(deployment, mine, context, base, field="")
        self._transport = transport
        self.place = self._connecting.place
        _, host, port, _ = split(base)
        own = {(host.lower(), port)} if direct else set[Place]()
        self.endpoints = self._connecting.endpoints | own

    async def ask(self, method: str, url: str, body: bytes = b"", headers: bytes = b"") -> Issued:
        """Return what the issuer answers; raises `UpstreamError` where it does not."""
        response: Response = await self._connecting.request(
            self._transport, method, url, headers=headers, body=body, params=_PARAMS
        )
        raw = await response.read(LARGEST_ANSWER)
        try:
            found: Any = msgspec.json.decode(raw)
        except UNREADABLE:
            found = None
        return Issued(
            status=response.status,
            body=cast("dict[str, Any]", found) if isinstance(found, dict) else {},
            header=response.header,
        )

    def refused(self, issued: Issued, what: str, param: str, secrets: list[str]) -> UpstreamError:
        """Return the error for an answer without a token; `what` says what to do about it."""
        said = quote(issued.said, secrets, "")
        answered = f' It answered {issued.status}: "{said}"' if said else ""
        failure = UpstreamFailure.AUTHENTICATION
        if issued.status == 429:
            failure = UpstreamFailure.RATE_LIMITED
        elif issued.status >= 500:
            failure, what = UpstreamFailure.SERVER, "It failed. Try again soon."
        return UpstreamError(
            failure,
            f"{self.place} issues no token for Azure. {what}{answered}",
            status=issued.status,
            retry_after=retry_after(issued.header),
            param=param,
        )


def _fits_a_header(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and " " not in value
