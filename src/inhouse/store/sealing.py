"""Upstream keys at rest: AES-256-GCM, each bound to the entry that it belongs to.

A sealed secret is ``v1.KEY_ID.DATA``: the first eight hex digits that tell the sealing key, and in
unpadded base64url a random nonce of 12 bytes with the ciphertext and its tag. What the secret
belongs to is authenticated with it, so that moving a ciphertext to another row breaks it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from inhouse.core.secret import SHORTEST_SEALING_KEY, Secret
from inhouse.errors import StoreError
from inhouse.store import files

VERSION = "v1"
NONCE_BYTES = 12


class Seal:
    """Seals and opens secrets with one key."""

    def __init__(self, secret: Secret) -> None:
        """Derive the key from a random string; raises `StoreError` where it is too short."""
        raw = secret.reveal().strip().encode()
        if len(raw) < SHORTEST_SEALING_KEY:
            raise StoreError(
                f"The store's sealing key is shorter than {SHORTEST_SEALING_KEY} characters;"
                " make one with: openssl rand -base64 32"
            )
        self._cipher = AESGCM(hmac.digest(raw, b"inhouse: seal upstream keys", "sha256"))
        self.id = hmac.digest(raw, b"inhouse: key id", "sha256").hex()[:8]

    def seal(self, secret: Secret, owner: str) -> str:
        """Return `secret` sealed for `owner`; the empty secret stays empty."""
        if not secret:
            return ""
        nonce = secrets.token_bytes(NONCE_BYTES)
        data = nonce + self._cipher.encrypt(nonce, secret.reveal().encode(), owner.encode())
        return f"{VERSION}.{self.id}.{base64.urlsafe_b64encode(data).decode().rstrip('=')}"

    def open(self, sealed: str, owner: str) -> Secret:
        """Return the secret that was sealed for `owner`.

        Raises:
            StoreError: it was sealed with another key, for another owner, or was changed since.

        """
        if not sealed:
            return Secret()
        version, _, rest = sealed.partition(".")
        key_id, _, encoded = rest.partition(".")
        if version == VERSION and key_id != self.id:
            raise StoreError(
                f"The secret of {owner} was sealed with the key {key_id}, not with {self.id}."
                " Set INHOUSE_SECRET_KEY, or restore the key file, as it was when it was stored."
            )
        try:
            data = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            plain = self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], owner.encode())
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise StoreError(
                f"The secret of {owner} was damaged or belongs elsewhere; set it anew."
            ) from error
        return Secret(plain.decode())


def read_key(path: Path) -> Secret | None:
    """Return the key in the file, None where there is no file; raises `StoreError`."""
    try:
        key = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise StoreError(f"The key file {path} holds no key; restore it.") from error
    except OSError as error:
        raise StoreError(f"The key file {path} cannot be read: {error.strerror}") from error
    if len(key) < SHORTEST_SEALING_KEY:
        raise StoreError(
            f"The key file {path} holds fewer than {SHORTEST_SEALING_KEY} characters; restore it,"
            " or remove it where the store is new."
        )
    return Secret(key)


def make_key(path: Path) -> Secret:
    """Write a new random key to a file with mode 0600, unless another process was faster."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    try:
        files.make(path, lambda draft: _write(draft, key))
    except OSError as error:
        raise StoreError(f"The key file {path} cannot be made: {error.strerror}") from error
    return read_key(path) or Secret(key)


def _write(path: Path, key: str) -> None:
    with path.open("w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        # A key that a power cut takes away takes every sealed secret with it.
        os.fsync(file.fileno())
