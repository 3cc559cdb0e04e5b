"""What a refusal in Anthropic's dialect means.

Format: ``{"type": "error", "error": {"type", "message"}}``, with a status or inside of a stream;
https://docs.anthropic.com/en/api/errors. Proxies and engines in between answer otherwise, mostly as
they do in OpenAI's dialect.
"""

from __future__ import annotations

import re

from msgspec import Struct

from inhouse.errors import UpstreamFailure
from inhouse.wire.openai import refusals

OVERLOADED = 529
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": OVERLOADED,
}
_FAILURES = {
    "billing_error": UpstreamFailure.MISCONFIGURED,
    "request_too_large": UpstreamFailure.CONTEXT_LENGTH,
    "timeout_error": UpstreamFailure.TIMEOUT,
}
_BILLING = re.compile(r"credit balance|billing", re.IGNORECASE)
_TOO_LONG = re.compile(r"context limit|prompt is too long", re.IGNORECASE)
_PARAM = re.compile(r"`?([a-z_]+(?:\.[\w.-]+)?)`?(?:: |\b)")
_FIELDS = frozenset(
    {"max_tokens", "messages", "metadata", "model", "output_config", "stop_sequences", "system"}
    | {"temperature", "thinking", "tool_choice", "tools", "top_k", "top_p"}
)
_CAP = re.compile(r"max_tokens: \d+ > (\d+)")


class Refusal(Struct, frozen=True, kw_only=True):
    """An upstream's answer that is none.

    `said` are its own words, one line, which may hold anything; `kind` its word for the error.
    `no_route` claims that the address is wrong, not the model.
    """

    failure: UpstreamFailure
    kind: str
    said: str
    param: str | None
    status: int
    no_route: bool

    @property
    def wrong_version(self) -> bool:
        """Whether the refusal is about the header ``anthropic-version``."""
        return self.status == 400 and self.said.startswith("anthropic-version")

    @property
    def most_tokens(self) -> int | None:
        """The longest answer that the model gives, where the refusal is about that."""
        found = _CAP.search(self.said)
        return int(found[1]) if found is not None and len(found[1]) <= len("1000000") else None


def refusal(status: int, body: bytes) -> Refusal:
    """Read a refusal; `status` is HTTP's, or 200 for an error inside of a stream."""
    found = refusals.refusal(status, body)
    if status < 300:
        found = refusals.refusal(_STATUSES.get(found.kind, 500), body)
    return Refusal(
        failure=_failure(found),
        kind=found.kind,
        said=found.said,
        param=_param(found.said) or found.param,
        status=found.status,
        no_route=found.no_route,
    )


def _failure(found: refusals.Refusal) -> UpstreamFailure:
    if found.kind in _FAILURES:
        return _FAILURES[found.kind]
    if found.status == 400 and _BILLING.search(found.said):
        return UpstreamFailure.MISCONFIGURED
    if found.status == 413 or (found.status == 400 and _TOO_LONG.search(found.said)):
        return UpstreamFailure.CONTEXT_LENGTH
    return found.failure


def _param(said: str) -> str | None:
    """Return the field that a message opens with: ``max_tokens: 9 > 8``, ```top_p` cannot …``."""
    found = _PARAM.match(said)
    return found[1] if found is not None and found[1].partition(".")[0] in _FIELDS else None
