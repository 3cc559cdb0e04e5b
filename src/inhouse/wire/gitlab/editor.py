"""What GitLab's editor extensions read of a GitLab, besides suggestions."""

from __future__ import annotations

import hashlib
import zlib
from functools import partial
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Struct, field

from inhouse.core.feature import Feature
from inhouse.core.requests import Caller
from inhouse.wire.decoding import decode_json
from inhouse.wire.gitlab.code import decode_completion
from inhouse.wire.gitlab.editing import Editing
from inhouse.wire.gitlab.graphql import Field, answered, selected

VERSION = "18.5.0"
"""The GitLab whose endpoints these are: the extensions compare it with what they need."""
REALM = "self-managed"
FLAGS = frozenset(
    {"advanced_context_resolver", "code_suggestions_context", "duo_additional_context"}
)
"""Feature flags that are on: those that have the extensions send more context along."""
AVAILABLE = frozenset({"duoCodeSuggestionsAvailable", "duoFeaturesEnabled"})
"""What is there. Chat is not, since the extensions expect its answers over a WebSocket."""


class GraphQl(Struct, frozen=True, kw_only=True):
    """A query with its variables."""

    query: str
    variables: dict[str, Any] | None = None


class Intent(Struct, frozen=True, kw_only=True):
    """What an editor wants at the cursor; where it does not say, a completion."""

    intent: Literal["completion", "generation"] | None = None


class DirectAccess(Struct, frozen=True, kw_only=True):
    """Where an extension may ask for completions directly, and how until `expires_at`, Unix time.

    `headers` go along with each request.
    """

    base_url: str
    token: str
    expires_at: int
    headers: dict[str, str] = field(default_factory=dict[str, str])


_GRAPH_QL = msgspec.json.Decoder(GraphQl)
_INTENT = msgspec.json.Decoder(Intent)


def decode_suggestion(raw: bytes) -> tuple[Feature, Editing]:
    """Return what is asked for, and of which feature; raises as `decode_completion`."""
    wanted: Intent = decode_json(raw, _INTENT)
    feature = Feature.GENERATION if wanted.intent == "generation" else Feature.COMPLETION
    return feature, decode_completion(raw)


def personal_token(caller: Caller, scopes: list[str]) -> bytes:
    """Return what a personal access token is."""
    return msgspec.json.encode(
        {
            "id": _number(caller),
            "name": caller.name,
            "revoked": False,
            "scopes": scopes,
            "user_id": _number(caller),
            "active": True,
            "expires_at": None,
        }
    )


def oauth_token(caller: Caller, scopes: list[str]) -> bytes:
    """Return what a token is that looks like one of OAuth."""
    return msgspec.json.encode(
        {"resource_owner_id": _number(caller), "scope": scopes, "expires_in": None}
    )


def version() -> bytes:
    """Return which GitLab this is."""
    return msgspec.json.encode({"version": VERSION, "revision": "inhouse", "enterprise": True})


def connection_details(caller: Caller, host: str) -> bytes:
    """Return what tells this GitLab and its user apart from others."""
    return msgspec.json.encode(
        {
            "instance_id": str(uuid5(NAMESPACE_URL, host)),
            "instance_version": VERSION,
            "realm": REALM,
            "global_user_id": user(caller),
            "host_name": host,
            "feature_enablement_type": "duo_pro",
            "saas_duo_pro_namespace_ids": [],
        }
    )


def graphql(raw: bytes, caller: Caller) -> bytes:
    """Return the answer to a query; of what is not known here, nothing.

    Raises:
        InvalidValueError: the query is none.
        RequestError: the body is no JSON.

    """
    asked: GraphQl = decode_json(raw, _GRAPH_QL)
    value = partial(_value, caller, asked.variables or {})
    return msgspec.json.encode({"data": answered(selected(asked.query), value)})


def user(caller: Caller) -> str:
    """Return an id for a caller that stays the same and fits into a header."""
    return hashlib.sha256(caller.name.encode()).hexdigest()


def _value(caller: Caller, variables: dict[str, Any], asked: Field) -> Any:
    """Return what a field holds, None where it is not known here."""
    match asked.name:
        case "id":
            return f"gid://gitlab/User/{_number(caller)}"
        case "username" | "name":
            return caller.name
        case "featureFlagEnabled":
            flag: Any = asked.arguments.get("name", "")
            if flag.startswith("$"):
                flag = variables.get(flag[1:])
            return isinstance(flag, str) and flag in FLAGS
        case "duoChatAvailable":
            return False
        case name:
            return True if name in AVAILABLE else None


def _number(caller: Caller) -> int:
    """Return a number for a caller that stays the same: GitLab has numbers for its users."""
    return zlib.crc32(caller.name.encode()) + 1
