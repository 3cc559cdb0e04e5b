"""Refusals as sentences: what is wrong, where, what to do, and what the upstream itself said."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from msgspec import Struct

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.wire.openai.refusals import retry_after

Header = Callable[[str], str]
"""Returns a header field of an answer, empty where there is none."""

WORDS = {
    UpstreamFailure.AUTHENTICATION: "refused the API key. Check the deployment's api_key",
    UpstreamFailure.CONTEXT_LENGTH: "finds the prompt too long for its model",
    UpstreamFailure.BAD_REQUEST: "refused the request",
    UpstreamFailure.RATE_LIMITED: "is asked too much",
    UpstreamFailure.SERVER: "failed. Its log may tell why",
    UpstreamFailure.NOT_READY: "is still loading its model. Try again soon",
    UpstreamFailure.TIMEOUT: "gave up, since the request took it too long",
}
"""What failures mean wherever a provider knows no better."""
FIELDS = {
    UpstreamFailure.AUTHENTICATION: "api_key",
    UpstreamFailure.MISCONFIGURED: "api_key",
    UpstreamFailure.UNKNOWN_MODEL: "identifier",
    UpstreamFailure.PROTOCOL: "endpoint",
}
"""Fields of a deployment that failures are about, wherever a provider knows no better."""


class Advice(Struct, frozen=True, kw_only=True):
    """What a refusal means: `what` follows the upstream's place, `param` is the field to correct.

    `quoting` tells whether the upstream's own words add anything.
    """

    failure: UpstreamFailure
    what: str
    param: str | None = None
    quoting: bool = True


def redirected(header: Header) -> Advice:
    """Return what a redirect means: it is not followed, since the key would go along."""
    target = urlsplit(header("location"))
    elsewhere = f" to {target.scheme}://{target.hostname}{target.path}" if target.hostname else ""
    return Advice(
        failure=UpstreamFailure.PROTOCOL,
        what=f"redirects{elsewhere}. Let the endpoint name the real address",
        param="endpoint",
        quoting=False,
    )


def explained(
    place: str, advice: Advice, header: Header, *, status: int, said: str, kind: str = ""
) -> UpstreamError:
    """Return the error for a refusal; `said` holds no secret, `kind` is the upstream's word."""
    end = "" if advice.what.endswith("?") else "."
    named = f"{status} {kind}".rstrip()
    quoted = advice.quoting and said
    answered = f'It answered {named}: "{said}"' if quoted else f"Its status is {named}."
    return UpstreamError(
        advice.failure,
        f"{place} {advice.what}{end} {answered}",
        status=status,
        retry_after=retry_after(header),
        param=advice.param,
    )
