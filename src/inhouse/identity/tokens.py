"""Whether a token holds: signed by a key of its issuer, for us, now; proven once, then known."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import exceptions
from msgspec import Struct

from inhouse.identity.claims import ALGORITHM, Claims, Refusal, Unproven, read, shown
from inhouse.identity.instance import Instance
from inhouse.identity.keys import Keys
from inhouse.identity.signing import ISSUER, Signing

LEEWAY = 30.0
"""Seconds by which clocks may differ."""
REMEMBERED = 4096
"""Tokens that are known to hold."""


class Decode(Protocol):
    """`jwt.decode`, as far as it is used here."""

    def __call__(
        self,
        token: str,
        key: RSAPublicKey,
        /,
        *,
        algorithms: Sequence[str],
        audience: str,
        leeway: float,
        options: Any,
    ) -> object:
        """Raise `PyJWTError` unless the token holds."""
        ...


class Verified(Struct, frozen=True):
    """A token that holds, of an instance; None where we issued it ourselves."""

    claims: Claims
    instance: Instance | None


class Tokens:
    """Proves tokens, and remembers those that hold; belongs to one event loop."""

    def __init__(
        self,
        instances: Sequence[Instance],
        ours: Signing,
        clock: Callable[[], float],
        decode: Decode = jwt.decode,
        remembered: int = REMEMBERED,
    ) -> None:
        """Believe `instances` and ourselves; `clock` tells Unix time in seconds."""
        self._instances = instances
        self._ours = ours
        self._clock = clock
        self._decode = decode
        self._remembered = remembered
        self._known: dict[bytes, Verified] = {}

    def forget(self) -> None:
        """Prove each token anew."""
        self._known.clear()

    async def verify(self, token: str) -> Verified | Refusal:
        """Return what a token claims if it holds, else why it does not; may wait for keys."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._clock() < known.claims.exp:
            return known
        unproven = read(token)
        if isinstance(unproven, Refusal):
            return unproven
        found = await self._proven(token, unproven)
        if isinstance(found, Verified):
            while len(self._known) >= self._remembered:
                del self._known[next(iter(self._known))]
            self._known[digest] = found
        return found

    async def _proven(self, token: str, unproven: Unproven) -> Verified | Refusal:
        found = self._tried(token, unproven)
        if found is None:
            issuer = unproven.claims.iss
            # Whoever has not told yet how its issuer is called may be the one.
            asked = self._speaking(issuer) or [
                each for each in self._instances if not each.discovered
            ]
            await asyncio.gather(*(each.learn() for each in asked))
            found = self._tried(token, unproven)
        return found or self._unknown(unproven)

    def _tried(self, token: str, unproven: Unproven) -> Verified | Refusal | None:
        """Return None where another key is needed, or another issuer."""
        kid, claims = unproven.kid, unproven.claims
        refusal: Refusal | None = None
        for issuer in self._speaking(claims.iss):
            for key in issuer.keys.candidates(kid):
                try:
                    self._decode(
                        token,
                        key,
                        algorithms=[ALGORITHM],
                        audience=issuer.audience,
                        leeway=LEEWAY,
                        options={"require": ["exp", "aud"]},
                    )
                except exceptions.InvalidSignatureError:
                    if kid in issuer.keys.named:
                        refusal = _forged(kid, issuer.name)
                except (exceptions.PyJWTError, ValueError, TypeError, OverflowError) as error:
                    return self._wrong(error, claims, issuer.audience)
                else:
                    return Verified(claims, issuer if isinstance(issuer, Instance) else None)
        return refusal

    def _speaking(self, issuer: str) -> Sequence[Instance | Signing]:
        """Return those whose keys may sign for an issuer; none may for what another is called."""
        if issuer == ISSUER:
            return [self._ours]
        issuer = issuer.rstrip("/")
        written = [each for each in self._instances if issuer in each.issuers]
        return written or [each for each in self._instances if issuer == each.discovered]

    def _unknown(self, unproven: Unproven) -> Refusal:
        issuer, kid = unproven.claims.iss, unproven.kid
        speaking = self._speaking(issuer)
        if not speaking:
            known = ", ".join(sorted({name for each in self._instances for name in each.issuers}))
            return Refusal(
                "issuer",
                f"Its issuer {shown(issuer)} is none of a [[gitlab.instances]] of inhouse.toml"
                f" (there: {known or 'none'}). Add one, or set 'issuer' of the right one.",
            )
        names = ", ".join(each.name for each in speaking)
        trouble = " ".join(each.trouble for each in speaking if each.trouble)
        known = ", ".join(sorted(_names(speaking)))
        return Refusal(
            "key",
            f"Its key {shown(kid)} is none of {names} (known: {known or 'none by name'})."
            + (f" Its keys could not be read: {trouble}" if trouble else ""),
        )

    def _wrong(self, error: Exception, claims: Claims, audience: str) -> Refusal:
        now = self._clock()
        match error:
            case exceptions.ExpiredSignatureError():
                return Refusal(
                    "expired",
                    f"It expired {now - claims.exp:.0f} s ago. Do the clocks of GitLab and of this"
                    " machine agree?",
                )
            case exceptions.ImmatureSignatureError():
                begins = max(claims.nbf or 0, claims.iat or 0)
                return Refusal(
                    "early",
                    f"It begins to hold in {begins - now:.0f} s. Do the clocks of GitLab and of"
                    " this machine agree?",
                )
            case exceptions.InvalidAudienceError():
                return Refusal(
                    "audience",
                    f"It is for {shown(str(claims.aud))}, not for '{audience}', the 'audience' in"
                    " [gitlab] of inhouse.toml.",
                )
            case _:
                return Refusal("claims", f"Its claims are wrong: {shown(str(error))}.")


def _forged(kid: str, name: str) -> Refusal:
    return Refusal("signature", f"The key {shown(kid)} of {name} did not sign it.")


def _names(speaking: Sequence[Instance | Signing]) -> set[str]:
    keys: list[Keys] = [each.keys for each in speaking]
    return {shown(name) for each in keys for name in each.named}
