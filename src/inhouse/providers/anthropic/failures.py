"""What refusals of Anthropic's dialect mean: what is wrong, where, and what to do."""

from __future__ import annotations

from inhouse.core.naming import did_you_mean
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.anthropic.upstream import Upstream
from inhouse.providers.refusing import FIELDS, WORDS, Advice, Header, explained, redirected
from inhouse.wire.anthropic.conversation import UnsayableError
from inhouse.wire.anthropic.refusals import OVERLOADED, Refusal
from inhouse.wire.openai.refusals import quote

DIALECT = "Anthropic's"
_WORDS = WORDS | {
    UpstreamFailure.RATE_LIMITED: "is asked too much. Wait, or have the key's limits raised",
    UpstreamFailure.MISCONFIGURED: "wants to be paid. Check the credit of the api_key's account",
}


def refused(upstream: Upstream, found: Refusal, prompt: str, header: Header) -> UpstreamError:
    """Return the error for a refusal; quotes the upstream without key and prompt."""
    advice = _advice(upstream, found, header)
    said = quote(found.said, upstream.connecting.secrets, prompt)
    return explained(upstream.place, advice, header, status=found.status, said=said)


def _advice(upstream: Upstream, found: Refusal, header: Header) -> Advice:
    if 300 <= found.status < 400:
        return redirected(header)
    if found.no_route:
        return Advice(
            failure=UpstreamFailure.PROTOCOL,
            what=f"has no Messages API below {upstream.base}. Check the path of the endpoint",
            param="endpoint",
            quoting=False,
        )
    if found.wrong_version:
        return Advice(
            failure=UpstreamFailure.MISCONFIGURED,
            what="does not know the version of its API that options.headers ask for. Correct"
            " anthropic-version there, or leave it out",
            param="options.headers",
        )
    failure, what = found.failure, _WORDS.get(found.failure, "")
    if failure is UpstreamFailure.UNKNOWN_MODEL:
        model = upstream.deployment.model
        what = f"does not know the model '{model}'{did_you_mean(model, upstream.names)}"
    elif found.status == 401 and not upstream.bearer:
        what += ", and whether a gateway wants it as a bearer token (the option bearer=true)"
    elif found.status == 403:
        what = "does not let this API key do that. Check the rights of the deployment's api_key"
    elif found.status == OVERLOADED:
        what = "is overloaded. Try again soon, or let another deployment follow on the route"
    return Advice(failure=failure, what=what, param=FIELDS.get(failure, found.param))


def unsayable(error: UnsayableError) -> UpstreamError:
    """Return the error for a request that the dialect has no words for."""
    return UpstreamError(
        UpstreamFailure.BAD_REQUEST, f"The request cannot be asked: {error}.", param=error.param
    )
