"""A GitLab that the bench plays: its key, its entry in the configuration, what its requests say."""

from __future__ import annotations

import time

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

URL = "https://gitlab.example"
"""Asked by nobody: the gateway is given the key."""
LIFETIME = 7 * 86400
"""Seconds: longer than anything runs here."""
_BITS = 2048


class Instance:
    """One GitLab instance; a gateway that has its `configuration` accepts its token."""

    def __init__(self) -> None:
        """Make a key, and sign a token with it."""
        key = generate_private_key(65537, _BITS)
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        now = int(time.time())
        claims = {
            "iss": URL,
            "sub": "bench",
            "aud": "gitlab-ai-gateway",
            "exp": now + LIFETIME,
            "nbf": now,
            "iat": now,
            "scopes": ["complete_code", "generate_code", "duo_classic_chat", "explain_code"],
            "gitlab_realm": "self-managed",
            "gitlab_instance_id": "bench",
        }
        self.configuration = (
            f'[[gitlab.instances]]\nurl = "{URL}"\nkeys = ["""\n{pem.decode()}"""]\n'
        )
        self.token = jwt.encode(claims, key, "RS256")
        self.headers = {
            "x-gitlab-authentication-type": "oidc",
            "x-gitlab-instance-id": "bench",
            "x-gitlab-realm": "self-managed",
            "x-gitlab-version": "18.5.0",
        }
        """Of each request, besides the token."""
