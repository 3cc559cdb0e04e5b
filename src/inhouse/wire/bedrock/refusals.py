"""What Bedrock's refusals mean: HTTP errors, and exceptions inside of a stream.

An HTTP error has a header ``x-amzn-ErrorType`` (cut at ``:``) and a body ``{"message": …}``, with a
capital M from the front door; without the header the body tells in ``__type`` or ``code``. Inside
of a stream the type is in camel case.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, cast

import msgspec
from msgspec import Struct

from inhouse.errors import UpstreamFailure
from inhouse.wire.decoding import UNREADABLE


class Cause(StrEnum):
    """What is behind a refusal, where more is known of it than its type."""

    UNTOLD = "untold"
    PROFILE_ONLY = "profile_only"
    """The model is offered through an inference profile only."""
    UNKNOWN_MODEL = "unknown_model"
    NO_MODEL_ACCESS = "no_model_access"
    """The account has not been granted the model."""
    NOT_ALLOWED = "not_allowed"
    """IAM does not allow the action."""
    UNKNOWN_KEY = "unknown_key"
    """No such access key id, session token or API key."""
    EXPIRED = "expired"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a name
    CLOCK = "clock"
    WRONG_REGION = "wrong_region"
    """The request is signed for another region than it reached."""


class Refusal(Struct, frozen=True, kw_only=True):
    """An answer that is none; `said` are AWS's own words, one line, which may hold anything."""

    failure: UpstreamFailure
    cause: Cause = Cause.UNTOLD
    kind: str = ""
    said: str = ""
    status: int


_F = UpstreamFailure
_KINDS = {
    "AccessDeniedException": _F.AUTHENTICATION,
    "ExpiredToken": _F.AUTHENTICATION,
    "ExpiredTokenException": _F.AUTHENTICATION,
    "IncompleteSignature": _F.AUTHENTICATION,
    "IncompleteSignatureException": _F.AUTHENTICATION,
    "InternalServerException": _F.SERVER,
    "InvalidClientTokenId": _F.AUTHENTICATION,
    "InvalidSignatureException": _F.AUTHENTICATION,
    "MissingAuthenticationToken": _F.AUTHENTICATION,
    "MissingAuthenticationTokenException": _F.AUTHENTICATION,
    "ModelErrorException": _F.SERVER,
    "ModelNotReadyException": _F.NOT_READY,
    "ModelStreamErrorException": _F.SERVER,
    "ModelTimeoutException": _F.TIMEOUT,
    "RequestExpired": _F.AUTHENTICATION,
    "ResourceNotFoundException": _F.UNKNOWN_MODEL,
    "ServiceQuotaExceededException": _F.RATE_LIMITED,
    "ServiceUnavailableException": _F.SERVER,
    "SignatureDoesNotMatch": _F.AUTHENTICATION,
    "ThrottlingException": _F.RATE_LIMITED,
    "TooManyRequestsException": _F.RATE_LIMITED,
    "UnrecognizedClientException": _F.AUTHENTICATION,
    "ValidationException": _F.BAD_REQUEST,
}
_STATUS = {
    "InternalServerException": 500,
    "ModelStreamErrorException": 424,
    "ModelTimeoutException": 408,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "ValidationException": 400,
}
"""HTTP's status of the exceptions that come inside of a stream."""

_CONTEXT = re.compile(
    r"(?:input|prompt) is too long|maximum context length|context (?:length|window|limit)"
    r"|too many (?:input )?tokens|exceeds? the (?:maximum|limit).{0,40}tokens",
    re.IGNORECASE,
)
_CAUSES: tuple[tuple[UpstreamFailure | None, re.Pattern[str], Cause], ...] = (
    (None, re.compile(r"on-demand throughput"), Cause.PROFILE_ONLY),
    (
        None,
        re.compile(
            r"model identifier is invalid|could not resolve the foundation model|end of its life"
            r"|model .{0,80}(?:not found|does not exist|isn't supported in this region)"
            r"|ARN is invalid|invalid ARN",
            re.IGNORECASE,
        ),
        Cause.UNKNOWN_MODEL,
    ),
    (_F.AUTHENTICATION, re.compile(r"expired: .* is now|not yet current|clock"), Cause.CLOCK),
    (_F.AUTHENTICATION, re.compile(r"expired", re.IGNORECASE), Cause.EXPIRED),
    (_F.AUTHENTICATION, re.compile(r"valid region|scoped to"), Cause.WRONG_REGION),
    (_F.AUTHENTICATION, re.compile(r"access to the model|Model access"), Cause.NO_MODEL_ACCESS),
    (
        _F.AUTHENTICATION,
        re.compile(r"token included in the request is invalid|API Key", re.IGNORECASE),
        Cause.UNKNOWN_KEY,
    ),
    (_F.AUTHENTICATION, re.compile(r"signature", re.IGNORECASE), Cause.WRONG_SECRET),
    (_F.AUTHENTICATION, re.compile(r"not authorized|explicit deny"), Cause.NOT_ALLOWED),
)
_BY_KIND = {
    "ExpiredToken": Cause.EXPIRED,
    "ExpiredTokenException": Cause.EXPIRED,
    "InvalidClientTokenId": Cause.UNKNOWN_KEY,
    "ResourceNotFoundException": Cause.UNKNOWN_MODEL,
    "UnrecognizedClientException": Cause.UNKNOWN_KEY,
}
_ABOUT_MODELS = {Cause.PROFILE_ONLY, Cause.UNKNOWN_MODEL}


def refusal(status: int, kind: str, body: bytes) -> Refusal:
    """Read an HTTP error; `kind` is the header ``x-amzn-ErrorType``."""
    said, told = _words(body)
    return _read(status, _kind(kind) or told, said)


def exception(kind: str, payload: bytes) -> Refusal:
    """Read an exception inside of a stream."""
    said, _ = _words(payload)
    kind = kind[:1].upper() + kind[1:]
    return _read(_STATUS.get(kind, 500), kind, said)


def _read(status: int, kind: str, said: str) -> Refusal:
    failure = _KINDS.get(kind) or _by_status(status)
    cause = _BY_KIND.get(kind, Cause.UNTOLD)
    if failure in {_F.AUTHENTICATION, _F.BAD_REQUEST} and cause is Cause.UNTOLD:
        cause = _cause(failure, said)
    if cause in _ABOUT_MODELS:
        failure = _F.UNKNOWN_MODEL
    elif failure is _F.BAD_REQUEST and _CONTEXT.search(said):
        failure = _F.CONTEXT_LENGTH
    return Refusal(failure=failure, cause=cause, kind=kind, said=said, status=status)


def _cause(failure: UpstreamFailure, said: str) -> Cause:
    for only, pattern, cause in _CAUSES:
        if only in {None, failure} and pattern.search(said):
            return cause
    return Cause.UNTOLD


def _by_status(status: int) -> UpstreamFailure:
    if status in {401, 403}:
        return _F.AUTHENTICATION
    if status in {408, 504}:
        return _F.TIMEOUT
    if status == 429:
        return _F.RATE_LIMITED
    if status >= 500 or status == 424:
        return _F.SERVER
    return _F.BAD_REQUEST if status in {400, 413, 422} else _F.PROTOCOL


def _kind(header: str) -> str:
    return header.partition(":")[0].rpartition("#")[2].strip()


def _words(body: bytes) -> tuple[str, str]:
    """Return the message of an error body, and its type where it tells one."""
    try:
        found: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    said = cast(dict[str, Any], found)
    message = said.get("message") or said.get("Message") or ""
    kind = said.get("__type") or said.get("code") or ""
    return _one_line(str(message)), _kind(kind) if isinstance(kind, str) else ""


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text[:20_000]).split())
