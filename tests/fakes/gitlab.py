"""A fake GitLab: what it publishes for OpenID discovery, its keys, its tokens and its headers.

Shapes follow the contract of `inhouse` with GitLab: ``/.well-known/openid-configuration`` below the
instance's own path names the address of a JSON Web Key Set (RFC 7517).
"""

import base64
import json
import ssl
import time
import uuid
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.fakes.http import Exchange, Handler, Server

AUDIENCE = "gitlab-ai-gateway"
INSTANCE_ID = "5a1f1c2e-0d6b-4a52-9d9e-3f7f7b1f0c11"
REALM = "self-managed"
USER = "k3yzvR8uT0Q7mB1n0a5h9w=="
VERSION = "18.5.0"
SCOPES = (
    "complete_code",
    "generate_code",
    "duo_chat",
    "duo_classic_chat",
    "documentation_search",
    "ask_issue",
    "ask_epic",
    "ask_work_item",
    "ask_merge_request",
    "ask_commit",
    "ask_build",
    "explain_code",
    "refactor_code",
    "fix_code",
    "write_tests",
    "explain_vulnerability",
    "resolve_vulnerability",
    "troubleshoot_job",
    "summarize_comments",
    "summarize_review",
    "summarize_new_merge_request",
    "review_merge_request",
    "generate_commit_message",
    "generate_issue_description",
    "glab_ask_git_command",
    "include_file_context",
    "include_snippet_context",
    "include_merge_request_context",
    "include_issue_context",
    "include_dependency_context",
    "include_local_git_context",
    "include_terminal_context",
    "include_repository_context",
    "include_directory_context",
    "generate_embeddings_codebase",
    "ai_gateway_model_provider_proxy",
)
"""Every scope that the licence of a self-managed GitLab can give."""


@cache
def rsa_key(name: str, bits: int = 2048) -> RSAPrivateKey:
    """Return a key that is the same for the same name: making one takes a tenth of a second."""
    del name
    return generate_private_key(65537, bits)


def private_pem(key: RSAPrivateKey) -> str:
    """Return the key as administrators keep it in a file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: RSAPrivateKey) -> str:
    """Return its public half in the same way."""
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def jwk(key: RSAPrivateKey, kid: str | None) -> dict[str, str]:
    """Return the public half as an entry of a key set, nameless where `kid` is None."""
    numbers = key.public_key().public_numbers()
    named = {} if kid is None else {"kid": kid}
    shown = {"e": _base64url(numbers.e), "n": _base64url(numbers.n)}
    return {"kty": "RSA", "use": "sig", "alg": "RS256", **named, **shown}


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(claims: dict[str, Any], key: RSAPrivateKey, kid: str | None) -> str:
    """Return a token; other than `jwt.encode` this takes claims that make no sense."""
    headers = {} if kid is None else {"kid": kid}
    return jwt.api_jws.encode(json.dumps(claims).encode(), key, "RS256", headers=headers)


class FakeGitLab(Server):
    """A GitLab below `path` of its host, such as ``/gitlab``.

    It signs with the key `kid` of those that it publishes in `keys`. `issuer` and `jwks_uri` are
    what its discovery says; empty is what a sane GitLab says. While it is `down` it closes each
    connection, and the next requests go to `faults` while there are any.
    """

    def __init__(
        self, path: str = "", name: str = "first", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(self.route, tls)
        self.path = path
        self.name = name
        self.kid = f"{name}-1"
        self.keys: dict[str | None, RSAPrivateKey] = {self.kid: rsa_key(self.kid)}
        self.issuer = ""
        self.jwks_uri = ""
        self.down = False
        self.faults: list[Handler] = []

    @property
    def address(self) -> str:
        """The URL of the instance, its path included."""
        return self.url + self.path

    @property
    def paths(self) -> list[str]:
        """What was asked so far."""
        return [each.target for each in self.requests]

    @property
    def fetches(self) -> int:
        """How many times somebody began to look for the keys."""
        return sum(each.endswith("/openid-configuration") for each in self.paths)

    def rotate(self, *, keep: bool = False) -> None:
        """Sign with a new key from now on; `keep` publishing the former ones, too."""
        generation = int(self.kid.rpartition("-")[2]) + 1
        self.kid = f"{self.name}-{generation}"
        new: dict[str | None, RSAPrivateKey] = {self.kid: rsa_key(self.kid)}
        self.keys = {**self.keys, **new} if keep else new

    def toml(self, **fields: str) -> str:
        """Return the entry that lets this instance ask, with further fields as TOML values."""
        lines = [f"{name} = {value}" for name, value in fields.items()]
        return "\n".join(["[[gitlab.instances]]", f'url = "{self.address}"', *lines, ""])

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Return what a token of this instance claims; a value None leaves its claim out."""
        now = int(time.time())
        usual = {
            "iss": self.issuer or self.address,
            "sub": INSTANCE_ID,
            "aud": AUDIENCE,
            "exp": now + 3600,
            "nbf": now - 5,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "scopes": list(SCOPES),
            "gitlab_realm": REALM,
            "gitlab_instance_id": INSTANCE_ID,
            "gitlab_instance_uid": INSTANCE_ID,
            "duo_seat_count": "100",
        }
        merged = {**usual, **claims}
        return {name: value for name, value in merged.items() if value is not None}

    def token(self, **claims: Any) -> str:
        """Return a token as Rails sends it, with these claims instead of the usual ones."""
        return signed(self.claims(**claims), rsa_key(self.kid), self.kid)

    def headers(self, token: str | None = None, **others: str | None) -> dict[str, str]:
        """Return the headers of a request that Rails sends for a user.

        `others` are written ``x_gitlab_realm``; a value None leaves a header out.
        """
        usual = {
            "authorization": f"Bearer {self.token() if token is None else token}",
            "x-gitlab-authentication-type": "oidc",
            "x-gitlab-instance-id": INSTANCE_ID,
            "x-gitlab-realm": REALM,
            "x-gitlab-global-user-id": USER,
            "x-gitlab-host-name": self.host,
            "x-gitlab-version": VERSION,
            "x-gitlab-duo-seat-count": "100",
            "x-gitlab-feature-enabled-by-namespace-ids": "",
            "x-gitlab-feature-enablement-type": "duo_pro",
            "x-gitlab-rails-send-start": f"{time.time():.6f}",
        }
        given = {name.replace("_", "-"): value for name, value in others.items()}
        merged = {**usual, **given}
        return {name: value for name, value in merged.items() if value is not None}

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return what it publishes, by path."""
        keys = "/oauth/discovery/keys"
        address = self.address
        return {
            f"{self.path}/.well-known/openid-configuration": {
                "issuer": self.issuer or address,
                "authorization_endpoint": f"{address}/oauth/authorize",
                "token_endpoint": f"{address}/oauth/token",
                "jwks_uri": self.jwks_uri or address + keys,
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            self.path + keys: {"keys": [jwk(key, kid) for kid, key in self.keys.items()]},
        }

    async def route(self, exchange: Exchange) -> None:
        """Answer one request."""
        if self.down:
            exchange.reset()
            return
        if self.faults:
            await self.faults.pop(0)(exchange)
            return
        document = self.documents().get(exchange.request.target)
        if document is None:
            await exchange.answer(404, b"<html>The page could not be found</html>", "text/html")
        else:
            await exchange.answer(200, json.dumps(document).encode())
