"""From errors to HTTP: the only place that knows which status an error has."""

from __future__ import annotations

import math

from msgspec import Struct

from inhouse.errors import (
    AuthenticationError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    InhouseError,
    InvalidValueError,
    LimitError,
    NotFoundError,
    RequestError,
    StoppingError,
    StoreError,
    SupersededError,
    TooLargeError,
    UnknownEndpointError,
    UnknownModelError,
    UpstreamError,
    UpstreamFailure,
)
from inhouse.routing.circuit import LONGEST_WISH

Headers = tuple[tuple[bytes, bytes], ...]

DEFECT = "Something went wrong inside inhouse. The log has the details under this trace id."


class Problem(Struct, frozen=True, kw_only=True):
    """An error as the caller sees it: `kind` and `code` are words that programs read.

    `upstream` is the HTTP status of the upstream whose failure it is, or the one that comes closest
    to it where there was no answer; None where no upstream failed.
    """

    status: int
    kind: str
    code: str
    message: str
    param: str | None = None
    headers: Headers = ()
    upstream: int | None = None


_STATUSES: tuple[tuple[type[InhouseError], int, str, str], ...] = (
    (AuthenticationError, 401, "authentication_error", "invalid_api_key"),
    (ForbiddenError, 403, "permission_error", "forbidden"),
    (UnknownModelError, 404, "invalid_request_error", "model_not_found"),
    (SupersededError, 409, "invalid_request_error", "superseded"),
    (TooLargeError, 413, "invalid_request_error", "body_too_large"),
    (InvalidValueError, 422, "invalid_request_error", "invalid_value"),
    (RequestError, 400, "invalid_request_error", "malformed"),
    (NotFoundError, 404, "invalid_request_error", "not_found"),
    (ConflictError, 409, "invalid_request_error", "conflict"),
    (StoreError, 503, "server_error", "store_failed"),
    (ConfigError, 422, "invalid_request_error", "invalid_configuration"),
)
"""First match wins, so subclasses stand before their parents."""

_CHALLENGE: Headers = ((b"www-authenticate", b"Bearer"),)

_UPSTREAM_STATUSES = {
    UpstreamFailure.TIMEOUT: 504,
    UpstreamFailure.DEADLINE: 504,
    UpstreamFailure.RESTING: 503,
    UpstreamFailure.BUSY: 429,
    UpstreamFailure.CONTENT_FILTER: 400,
    UpstreamFailure.RATE_LIMITED: 429,
    UpstreamFailure.CONTEXT_LENGTH: 400,
    UpstreamFailure.BAD_REQUEST: 400,
}
_UPSTREAM_CODES = {
    UpstreamFailure.RATE_LIMITED: "rate_limit_exceeded",
    UpstreamFailure.CONTEXT_LENGTH: "context_length_exceeded",
}
_CLOSEST_STATUSES = {
    UpstreamFailure.TIMEOUT: 408,
    UpstreamFailure.DEADLINE: 408,
    UpstreamFailure.BUSY: 429,
    UpstreamFailure.RATE_LIMITED: 429,
    UpstreamFailure.AUTHENTICATION: 401,
    UpstreamFailure.UNKNOWN_MODEL: 404,
    UpstreamFailure.CONTEXT_LENGTH: 400,
    UpstreamFailure.CONTENT_FILTER: 400,
    UpstreamFailure.BAD_REQUEST: 400,
}
_UPSTREAM_KINDS = {400: "invalid_request_error", 429: "rate_limit_error"}


def problem(error: BaseException) -> Problem:
    """Return what to tell the caller; of an error that we did not foresee, nothing."""
    if isinstance(error, UpstreamError):
        return _upstream(error)
    if isinstance(error, UnknownEndpointError):
        return _unknown_endpoint(error)
    if isinstance(error, LimitError):
        return Problem(
            status=429,
            kind="rate_limit_error",
            code="rate_limit_exceeded",
            message=error.message,
            headers=_patience(error.retry_after),
        )
    if isinstance(error, StoppingError):
        return Problem(
            status=503,
            kind="server_error",
            code="stopping",
            message=error.message,
            headers=_patience(1.0),
        )
    for kind, status, word, code in _STATUSES:
        if isinstance(error, kind):
            return Problem(
                status=status,
                kind=word,
                code=code,
                message=error.message,
                param=error.param,
                headers=_CHALLENGE if kind is AuthenticationError else (),
            )
    return Problem(status=500, kind="server_error", code="internal", message=DEFECT)


def _unknown_endpoint(error: UnknownEndpointError) -> Problem:
    allowed = ", ".join(error.allowed).encode("ascii")
    return Problem(
        status=405 if allowed else 404,
        kind="invalid_request_error",
        code="method_not_allowed" if allowed else "unknown_path",
        message=error.message,
        headers=((b"allow", allowed),) if allowed else (),
    )


def _upstream(error: UpstreamError) -> Problem:
    status = _UPSTREAM_STATUSES.get(error.failure, 502)
    return Problem(
        status=status,
        kind=_UPSTREAM_KINDS.get(status, "upstream_error"),
        code=_UPSTREAM_CODES.get(error.failure, error.failure.value),
        message=_named(error),
        param=error.param,
        headers=_patience(error.retry_after),
        upstream=_upstream_status(error),
    )


def _upstream_status(error: UpstreamError) -> int:
    """Return the upstream's status; one that promised well is not what it failed with."""
    if error.status is not None and error.status >= 400:
        return error.status
    return _CLOSEST_STATUSES.get(error.failure, 500)


def _named(error: UpstreamError) -> str:
    """Return the message; whoever asks for a feature does not know which deployment was asked."""
    if error.deployment is None or f"'{error.deployment}'" in error.message:
        return error.message
    return f"{error.message} (The deployment is '{error.deployment}'.)"


def _patience(seconds: float | None) -> Headers:
    if seconds is None:
        return ()
    # Nobody is sent back at once, nor for longer than we ourselves believe an upstream.
    believed = min(max(seconds, 1.0), LONGEST_WISH)
    return ((b"retry-after", b"%d" % math.ceil(believed)),)
