"""Refusals and broken answers as sentences: what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from inhouse.core.naming import did_you_mean
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.anthropic.upstream import Upstream
from inhouse.wire.anthropic.conversation import UnsayableError
from inhouse.wire.anthropic.refusals import OVERLOADED, Refusal
from inhouse.wire.openai.refusals import is_html, quote, retry_after
from inhouse.wire.sse import LARGEST_EVENT

_ADVICE = {
    UpstreamFailure.AUTHENTICATION: "refused the API key. Check the deployment's api_key",
    UpstreamFailure.CONTEXT_LENGTH: "finds the prompt too long for its model",
    UpstreamFailure.BAD_REQUEST: "refused the request",
    UpstreamFailure.RATE_LIMITED: "is asked too much. Wait, or have the key's limits raised",
    UpstreamFailure.SERVER: "failed. Its log may tell why",
    UpstreamFailure.NOT_READY: "is still loading its model. Try again soon",
    UpstreamFailure.TIMEOUT: "gave up, since the request took it too long",
    UpstreamFailure.MISCONFIGURED: "wants to be paid. Check the credit of the api_key's account",
}


def refused(
    upstream: Upstream, found: Refusal, prompt: str, header: Callable[[str], str]
) -> UpstreamError:
    """Return the error for a refusal; quotes the upstream without key and prompt."""
    said = quote(found.said, upstream.connecting.secrets, prompt)
    failure, what, param = found.failure, _ADVICE.get(found.failure, ""), found.param
    if 300 <= found.status < 400:
        failure, said, what = UpstreamFailure.PROTOCOL, "", _redirect(header("location"))
    elif found.no_route:
        failure, said = UpstreamFailure.PROTOCOL, ""
        what = f"has no Messages API below {upstream.base}. Check the path of the endpoint"
    elif failure is UpstreamFailure.UNKNOWN_MODEL:
        model, param = upstream.deployment.model, "model"
        what = f"does not know the model '{model}'{did_you_mean(model, upstream.names)}"
    elif found.status == 401 and not upstream.bearer:
        what += ", and whether a gateway wants it as a bearer token (the option bearer=true)"
    elif found.status == 403:
        what = "does not let this API key do that. Check the rights of the deployment's api_key"
    elif found.status == OVERLOADED:
        what = "is overloaded. Try again soon, or let another deployment follow on the route"
    end = "" if what.endswith("?") else "."
    answered = f'It answered {found.status}: "{said}"' if said else f"Its status is {found.status}."
    return UpstreamError(
        failure,
        f"{upstream.place} {what}{end} {answered}",
        status=found.status,
        retry_after=retry_after(header),
        param=param,
    )


def unsayable(error: UnsayableError) -> UpstreamError:
    """Return the error for a request that the dialect has no words for."""
    return UpstreamError(
        UpstreamFailure.BAD_REQUEST, f"The request cannot be asked: {error}.", param=error.param
    )


def garbled(upstream: Upstream, body: bytes) -> UpstreamError:
    """Return the error for an answer that is not of the dialect."""
    if is_html(body):
        what = "answered with HTML"
    elif not body.strip():
        what = "answered with nothing"
    else:
        what = "answered with something that is not of Anthropic's dialect"
    return UpstreamError(
        UpstreamFailure.PROTOCOL,
        f"{upstream.place} {what}; is {upstream.base} the right endpoint?",
        status=200,
    )


def broken_off(upstream: Upstream) -> UpstreamError:
    """Return the error for a stream that ends without saying so."""
    return UpstreamError(
        UpstreamFailure.CLOSED,
        f"{upstream.place} closed the stream before its answer was complete. Did it crash?",
        status=200,
    )


def endless(upstream: Upstream) -> UpstreamError:
    """Return the error for an event that does not end."""
    return UpstreamError(
        UpstreamFailure.PROTOCOL,
        f"{upstream.place} sent an event of more than {LARGEST_EVENT} bytes; is it a model server?",
        status=200,
    )


def _redirect(location: str) -> str:
    target = urlsplit(location)
    elsewhere = f" to {target.scheme}://{target.hostname}{target.path}" if target.hostname else ""
    return f"redirects{elsewhere}. Let the endpoint name the real address"
