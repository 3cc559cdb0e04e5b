"""Every error of inhouse, as one tree; the edges translate it, nothing else does.

::

    InhouseError                 what is wrong, where, and what to do: safe to show to the caller
    ├── ConfigError              a configuration file, family file or environment variable is wrong
    ├── StoreError               the registry or its database refuses or fails
    │   ├── NotFoundError        no such deployment, route, key, family, revision
    │   └── ConflictError        the name is taken, declared in a file, or still in use
    ├── RequestError             the caller's request is wrong
    │   ├── InvalidValueError    it reads well, but a field is missing, mistyped or out of range
    │   ├── AuthenticationError  no key, or one that is unknown or revoked
    │   ├── ForbiddenError       the key is good, its role or its model list does not allow this
    │   ├── UnknownModelError    no feature or deployment of that name, or none that serves it
    │   ├── UnknownEndpointError no such HTTP path, or not with this method
    │   ├── TooLargeError        a body over the configured limit
    │   ├── LimitError           the caller's key or team has used up its minute
    │   └── SupersededError      a later request of the same caller has taken this one's place
    ├── StoppingError            this gateway is being stopped, and the request was still running
    ├── UpstreamError            an upstream refused, failed, lied, or was too slow
    └── GatewayError             a gateway that we asked over HTTP is not there, refused or failed

A message never holds a secret, prompt text, or a stack trace.
"""

from enum import StrEnum


class InhouseError(Exception):
    """Any error that inhouse raises on purpose; ``str(error)`` is fit for the user."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        """Keep the sentence, and in `param` the name or path of the field it is about."""
        super().__init__(message)
        self.message = message
        self.param = param


class ConfigError(InhouseError):
    """A configuration is wrong; the message names file and path."""


class StoreError(InhouseError):
    """The registry or its database refuses or fails."""


class NotFoundError(StoreError):
    """The registry has no entry of that name."""


class ConflictError(StoreError):
    """The registry cannot take the change as things stand."""


class RequestError(InhouseError):
    """The caller's request is wrong; repeating it unchanged does not help."""


class InvalidValueError(RequestError):
    """A field of the request is missing, or has a wrong type or value."""


class AuthenticationError(RequestError):
    """The request carries no key, or one that is unknown or revoked."""


class ForbiddenError(RequestError):
    """The caller is known but may not do this."""


class UnknownModelError(RequestError):
    """No feature or deployment of that name, or the feature is disabled or has no route."""


class UnknownEndpointError(RequestError):
    """Nothing stands at that HTTP path, or only other methods do: those in `allowed`."""

    def __init__(self, message: str, *, allowed: tuple[str, ...] = ()) -> None:
        """Keep the methods that the path takes."""
        super().__init__(message)
        self.allowed = allowed


class TooLargeError(RequestError):
    """The body is larger than the configured limit."""


class LimitError(RequestError):
    """The caller's key or team has used up what it may ask for in this minute."""

    def __init__(self, message: str, *, retry_after: float, param: str | None = None) -> None:
        """`retry_after` is in seconds."""
        super().__init__(message, param=param)
        self.retry_after = retry_after


class SupersededError(RequestError):
    """A later request of the same caller for the same file has taken this one's place."""


class StoppingError(InhouseError):
    """The gateway is being stopped, and has waited long enough for this request."""


class UpstreamFailure(StrEnum):
    """What went wrong at an upstream."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    PROTOCOL = "protocol"
    AUTHENTICATION = "authentication"
    UNKNOWN_MODEL = "unknown_model"
    CONTEXT_LENGTH = "context_length"
    BAD_REQUEST = "bad_request"
    RATE_LIMITED = "rate_limited"
    SERVER = "server"
    NOT_READY = "not_ready"
    MISCONFIGURED = "misconfigured"
    CONTENT_FILTER = "content_filter"
    MESSAGES_ONLY = "messages_only"
    """It takes no rendered text, as has just been learned: ask it again with messages."""
    FORBIDDEN = "forbidden"
    """Our own egress policy does not let us connect there."""
    RESTING = "resting"
    """Its circuit is open: it failed too often, and is left alone for a while."""
    BUSY = "busy"
    """As many requests as it takes run and wait already."""
    DEADLINE = "deadline"
    """The time for the whole request is used up."""


RETRYABLE = frozenset(
    {
        UpstreamFailure.UNREACHABLE,
        UpstreamFailure.TLS,
        UpstreamFailure.TIMEOUT,
        UpstreamFailure.CLOSED,
        UpstreamFailure.PROTOCOL,
        UpstreamFailure.RATE_LIMITED,
        UpstreamFailure.SERVER,
        UpstreamFailure.NOT_READY,
        UpstreamFailure.RESTING,
        UpstreamFailure.BUSY,
        # The next four are the administrator's mistakes: this deployment cannot answer anybody.
        UpstreamFailure.AUTHENTICATION,
        UpstreamFailure.UNKNOWN_MODEL,
        UpstreamFailure.FORBIDDEN,
        UpstreamFailure.MISCONFIGURED,
    }
)
"""Failures after which another deployment, or the same one later, may well answer."""


class UpstreamError(InhouseError):
    """An upstream refused, failed, lied, or was too slow.

    `failure` says how, `deployment` where, `status` the upstream's HTTP status where there was
    one, `retry_after` in seconds where the upstream asked for patience. `retryable` claims that
    another deployment, or the same one later, may well answer.
    """

    def __init__(
        self,
        failure: UpstreamFailure,
        message: str,
        *,
        deployment: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        param: str | None = None,
    ) -> None:
        """Keep the facts beside the sentence."""
        super().__init__(message, param=param)
        self.failure = failure
        self.deployment = deployment
        self.status = status
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        """Whether asking elsewhere or later may help."""
        return self.failure in RETRYABLE


class GatewayError(InhouseError):
    """A gateway that we asked over HTTP is not there, refused or failed: what a client raises.

    `status` is the HTTP status where there was one, `trace_id` what its log calls the request.
    """

    def __init__(self, message: str, *, status: int | None = None, trace_id: str = "") -> None:
        """Keep the facts beside the sentence."""
        super().__init__(message)
        self.status = status
        self.trace_id = trace_id
