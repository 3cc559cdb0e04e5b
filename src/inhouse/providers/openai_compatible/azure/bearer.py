"""Authorization by a token of Microsoft Entra ID."""

from __future__ import annotations

import asyncio
from typing import Protocol

from inhouse.core.deadlines import Deadlines
from inhouse.core.ports import Place
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.openai_compatible.azure.tokens import Token, Tokens

_HEADER = b"authorization: Bearer %b\r\n"


class Credential(Protocol):
    """Who asks for tokens, and where."""

    @property
    def endpoints(self) -> frozenset[Place]:
        """Where it connects to."""
        ...

    def check(self) -> None:
        """Raise `ConfigError` where it cannot work as written."""
        ...

    async def fetch(self) -> Token:
        """Return a new token; raises `UpstreamError` or `ConfigError`."""
        ...


class Bearer:
    """Shows the token of one identity; renews it early, and once when it is refused."""

    def __init__(self, credential: Credential) -> None:
        """Fetch nothing yet."""
        self._credential = credential
        self._tokens = Tokens(credential.fetch)
        self.endpoints = credential.endpoints

    @property
    def secrets(self) -> list[str]:
        """The token."""
        return [self._tokens.value]

    def check(self) -> None:
        """Raise `ConfigError` where the credential cannot work as written; may read a file."""
        self._credential.check()

    async def header(self, deadlines: Deadlines) -> bytes:
        """Return the header field with a good token; raises `UpstreamError` or `ConfigError`."""
        patience = min(deadlines.first_token, deadlines.total)
        try:
            async with asyncio.timeout(patience):
                token = await self._tokens.get()
        except TimeoutError:
            places = ", ".join(f"{host}:{port}" for host, port in sorted(self.endpoints))
            raise UpstreamError(
                UpstreamFailure.TIMEOUT,
                f"{places} did not issue a token for Azure within {patience:g} s.",
                param="options.auth",
            ) from None
        return _HEADER % token.encode()

    def refused(self, header: bytes) -> bool:
        """Hear that a token was refused; tell whether another may do better."""
        return self._tokens.refused(header[len(b"authorization: Bearer ") : -2].decode())

    async def aclose(self) -> None:
        """Stop fetching."""
        await self._tokens.aclose()
