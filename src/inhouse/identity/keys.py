"""Public keys of those who issue tokens: RSA alone, from JSON Web Key Sets (RFC 7517) and PEM."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import PyJWTError
from msgspec import Struct, field

SMALLEST = 2048
"""Bits of an RSA key."""
LARGEST = 8192
"""Bits: checking a signature of a larger key would take long."""
MOST = 32
"""Keys that one issuer may have at a time."""


class Keys(Struct, frozen=True):
    """The keys of one issuer: by key id, and those that have none and may be anybody's."""

    named: Mapping[str, RSAPublicKey] = field(default_factory=dict[str, RSAPublicKey])
    nameless: tuple[RSAPublicKey, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether there is a key at all."""
        return bool(self.named or self.nameless)

    def candidates(self, kid: str) -> tuple[RSAPublicKey, ...]:
        """Return the keys that may have signed a token with this key id, or without any."""
        if not kid:
            return (*self.named.values(), *self.nameless)
        named = self.named.get(kid)
        return self.nameless if named is None else (named, *self.nameless)


class _Entry(Struct):
    """A key of a set; of other kinds than RSA nothing else matters."""

    kty: str
    kid: str | None = None
    use: str | None = None
    n: str = ""
    e: str = ""


class _KeySet(Struct):
    keys: list[_Entry]


def read_key_set(raw: bytes) -> Keys:
    """Read a JSON Web Key Set; keys that are not RSA, not for signatures or not fit are left out.

    Raises:
        ValueError: it is none, or has too many keys, or none for us.

    """
    try:
        found = msgspec.json.decode(raw, type=_KeySet).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is no JSON Web Key Set: {error}") from None
    if len(found) > MOST:
        raise ValueError(f"it has {len(found)} keys; more than {MOST} are not believed")
    fault = "it has no RSA key for signatures"
    named: dict[str, RSAPublicKey] = {}
    without: list[RSAPublicKey] = []
    for entry in found:
        if entry.kty != "RSA" or entry.use not in {None, "sig"}:
            continue
        try:
            key = _public(entry)
        except ValueError as error:
            fault = str(error)
            continue
        if entry.kid:
            named[entry.kid] = key
        else:
            without.append(key)
    if not named and not without:
        raise ValueError(fault)
    return Keys(named, tuple(without))


def read_public(pem: str) -> RSAPublicKey:
    """Read a public key, or the public half of a private key or a certificate.

    Raises:
        ValueError: it is none of these, or not fit; the message never shows the text.

    """
    raw = pem.encode()
    if b"PRIVATE KEY" in raw:
        return read_private(pem).public_key()
    try:
        if b"CERTIFICATE" in raw:
            found = load_pem_x509_certificate(raw).public_key()
        else:
            found = load_pem_public_key(raw)
    except UnsupportedAlgorithm as error:
        raise ValueError(f"its kind is not supported: {error}") from None
    except ValueError:
        raise ValueError("it is no public key as PEM") from None
    return _fit(found)


def read_private(pem: str) -> RSAPrivateKey:
    """Read a private key; raises ValueError as `read_public` does."""
    try:
        found = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ValueError("it is encrypted; write it without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        # The library's own words may be about the text.
        raise ValueError("it is no private key as PEM") from None
    _fit(found.public_key())
    return cast("RSAPrivateKey", found)


def nameless(pems: Iterable[str]) -> Keys:
    """Return keys from PEM, which has no key ids; raises ValueError as `read_public` does."""
    return Keys(nameless=tuple(map(read_public, pems)))


def thumbprint(key: RSAPublicKey) -> str:
    """Return a key id that says nothing but which key it is (RFC 7638)."""
    entry: dict[str, Any] = RSAAlgorithm.to_jwk(key, as_dict=True)
    canonical = msgspec.json.encode({name: entry[name] for name in ("e", "kty", "n")})
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode().rstrip("=")


def _public(entry: _Entry) -> RSAPublicKey:
    try:
        # Only the two numbers: other members would make it a private key.
        return _fit(RSAAlgorithm.from_jwk({"kty": "RSA", "n": entry.n, "e": entry.e}))
    except (PyJWTError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"its key {(entry.kid or '')[:80]!a} cannot be used: {error}") from None


def _fit(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise ValueError("it is no RSA key, and tokens are signed with RS256")  # noqa: TRY004
    if not SMALLEST <= key.key_size <= LARGEST:
        raise ValueError(f"it has {key.key_size} bits, not {SMALLEST} to {LARGEST}")
    return key
