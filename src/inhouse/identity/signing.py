"""The tokens that we issue ourselves: RS256, with keys that all processes on one store share."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import Struct

from inhouse.core.secret import Secret
from inhouse.errors import StoreError
from inhouse.identity.clock import Clock
from inhouse.identity.keys import Keys, read_private, read_public, thumbprint
from inhouse.identity.looking import Look
from inhouse.identity.reporting import Log

ISSUER = "gitlab-ai-gateway"
"""Issuer and audience of our tokens."""
LIFETIME = 3600
"""Seconds that a token holds."""
MAX_AGE = 30 * 86400.0
"""Seconds after which another key signs."""
OVERLAP = 86400.0
"""Seconds that a replaced key is kept: longer than any token holds."""
SPACING = 1.0
"""Seconds between two looks into the store for keys that tokens name and nobody knows."""
_BITS = 2048


class StoredKey(Protocol):
    """A private key in the store."""

    @property
    def id(self) -> str:
        """The key id in tokens."""
        ...

    @property
    def created_at(self) -> float:
        """A Unix time in seconds."""
        ...

    @property
    def private_key(self) -> Secret:
        """As PEM."""
        ...


class KeyStore(Protocol):
    """Where all processes find the same keys. Blocking, raises `StoreError`."""

    def load(self) -> Sequence[StoredKey]:
        """Return all keys, the newest first."""
        ...

    def renew(
        self,
        key_id: str,
        private_key: Secret,
        *,
        created_at: float,
        fresh_since: float,
        keep_since: float,
    ) -> Sequence[StoredKey]:
        """Add a key unless there is one after `fresh_since`; drop those before `keep_since`."""
        ...


class Issued(Struct, frozen=True):
    """A token, and the Unix time in seconds at which it ends."""

    token: str
    expires_at: int

    def __repr__(self) -> str:
        """Show no token."""
        return f"Issued(expires_at={self.expires_at})"


class _Signer(Struct, frozen=True):
    kid: str
    key: RSAPrivateKey
    created_at: float = float("inf")


class Signing:
    """Issues our tokens, and holds the keys that prove them; belongs to one event loop."""

    name = ISSUER
    audience = ISSUER
    trouble = ""

    def __init__(
        self,
        store: KeyStore,
        *,
        signing_key: Secret,
        validation_key: Secret,
        changed: Callable[[], None],
        log: Log,
        clock: Clock,
    ) -> None:
        """Sign with the given PEM, else with keys of the store; raises ValueError for a bad PEM.

        `changed` is called when the keys are no longer the same.
        """
        self._store = store
        self._changed = changed
        self._log = log
        self._wall = clock.wall
        self._signer: _Signer | None = None
        self._stored = not signing_key
        given = [read_public(pem) for pem in (validation_key.reveal(),) if pem]
        if signing_key:
            key = read_private(signing_key.reveal())
            self._signer = _Signer(thumbprint(key.public_key()), key)
            given.append(key.public_key())
        # Another process may call the same PEM by another key id.
        self.keys = Keys(nameless=tuple(given))
        self._look = Look(self._load, spacing=SPACING, clock=clock)
        self._renewing = asyncio.Lock()

    async def issue(self, claims: Mapping[str, Any]) -> Issued:
        """Sign a token with these claims, besides those that each of ours has.

        Raises:
            StoreError: there is no key yet, and the store cannot keep one.

        """
        signer = await self._current()
        now = int(self._wall())
        own = {
            "iss": ISSUER,
            "aud": ISSUER,
            "exp": now + LIFETIME,
            "nbf": now,
            "iat": now,
            "jti": str(uuid.uuid4()),
        }
        token = jwt.encode({**claims, **own}, signer.key, "RS256", headers={"kid": signer.kid})
        return Issued(token, now + LIFETIME)

    async def learn(self) -> None:
        """Read the store anew because a token names an unknown key; wait only for a moment."""
        if self._stored:
            await self._look.missed()

    async def aclose(self) -> None:
        """Stop reading."""
        await self._look.aclose()

    async def _current(self) -> _Signer:
        async with self._renewing:
            signer = self._signer
            if signer is None or self._old(signer):
                signer = self._take(await asyncio.to_thread(self._renewed))
            return signer

    def _old(self, signer: _Signer) -> bool:
        return signer.created_at <= self._wall() - MAX_AGE

    def _renewed(self) -> list[_Signer]:
        """Return the store's keys, of which the first is fresh; blocks."""
        found = _signers(self._store.load())
        if found and not self._old(found[0]):
            return found
        key = generate_private_key(65537, _BITS)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        now = self._wall()
        return _signers(
            self._store.renew(
                thumbprint(key.public_key()),
                Secret(pem),
                created_at=now,
                fresh_since=now - MAX_AGE,
                keep_since=now - MAX_AGE - OVERLAP,
            )
        )

    async def _load(self) -> None:
        try:
            found = await asyncio.to_thread(lambda: _signers(self._store.load()))
        except StoreError as error:
            self._log.failure("keys of our tokens not read", why=error.message)
        else:
            if found:
                self._take(found)

    def _take(self, found: Sequence[_Signer]) -> _Signer:
        self._signer = found[0]
        keys = Keys({each.kid: each.key.public_key() for each in found}, self.keys.nameless)
        if keys != self.keys:
            self.keys = keys
            self._changed()
        return found[0]


def _signers(stored: Sequence[StoredKey]) -> list[_Signer]:
    return [
        _Signer(each.id, read_private(each.private_key.reveal()), each.created_at)
        for each in stored
    ]
