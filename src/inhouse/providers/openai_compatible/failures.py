"""Refusals and broken answers as sentences: what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from inhouse.core.naming import did_you_mean
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.openai_compatible.site import Advice
from inhouse.providers.openai_compatible.upstream import Upstream
from inhouse.wire.openai.refusals import Refusal, is_html, quote, retry_after
from inhouse.wire.sse import LARGEST_EVENT

_ADVICE = {
    UpstreamFailure.AUTHENTICATION: "refused the API key. Check the deployment's api_key",
    UpstreamFailure.CONTEXT_LENGTH: "finds the prompt too long for its model",
    UpstreamFailure.BAD_REQUEST: "refused the request",
    UpstreamFailure.RATE_LIMITED: "is asked too much",
    UpstreamFailure.SERVER: "failed. Its log may tell why",
    UpstreamFailure.NOT_READY: "is still loading its model. Try again soon",
    UpstreamFailure.TIMEOUT: "gave up, since the request took it too long",
}


def refused(
    upstream: Upstream, found: Refusal, prompt: str, header: Callable[[str], str]
) -> UpstreamError:
    """Return the error for a refusal; quotes the upstream without secrets and prompt."""
    advice = upstream.site.advise(found, upstream.routes) or _advice(upstream, found, header)
    said = quote(found.said, upstream.secrets, prompt) if advice.quoting else ""
    end = "" if advice.what.endswith("?") else "."
    answered = f'It answered {found.status}: "{said}"' if said else f"Its status is {found.status}."
    return UpstreamError(
        advice.failure,
        f"{upstream.place} {advice.what}{end} {answered}",
        status=found.status,
        retry_after=retry_after(header),
        param=advice.param,
    )


def _advice(upstream: Upstream, found: Refusal, header: Callable[[str], str]) -> Advice:
    failure, what, param = found.failure, _ADVICE.get(found.failure, ""), found.param
    if 300 <= found.status < 400:
        target = urlsplit(header("location"))
        elsewhere = (
            f" to {target.scheme}://{target.hostname}{target.path}" if target.hostname else ""
        )
        return Advice(
            failure=UpstreamFailure.PROTOCOL,
            what=f"redirects{elsewhere}. Let the endpoint name the real address",
            param="endpoint",
            quoting=False,
        )
    if found.no_route:
        return Advice(
            failure=UpstreamFailure.PROTOCOL,
            what=f"has no such route below {upstream.base}. Check the path of the endpoint",
            param="endpoint",
            quoting=False,
        )
    match failure:
        case UpstreamFailure.UNKNOWN_MODEL:
            model, param = upstream.deployment.model, "identifier"
            what = f"does not know the model '{model}'{did_you_mean(model, upstream.names)}"
        case UpstreamFailure.AUTHENTICATION:
            param = "api_key"
        case UpstreamFailure.CONTENT_FILTER:
            found_in_it = ", ".join(found.filtered)
            what = "refused the prompt: its content filter objects"
            what += f" to: {found_in_it}" if found_in_it else ""
        case UpstreamFailure.MESSAGES_ONLY:
            failure, param = UpstreamFailure.BAD_REQUEST, "options.takes_text"
            what = (
                "takes messages only, no text. Leave out the option takes_text, or set it to false"
            )
        case _:
            pass
    return Advice(failure=failure, what=what, param=param)


def messages_only(upstream: Upstream, found: Refusal) -> UpstreamError:
    """Return the error for a text sent to a model that takes messages only."""
    return UpstreamError(
        UpstreamFailure.MESSAGES_ONLY,
        f"{upstream.place} takes no text for the model '{upstream.deployment.model}', only"
        " messages: ask it with messages.",
        status=found.status,
        param="options.takes_text",
    )


def garbled(upstream: Upstream, body: bytes) -> UpstreamError:
    """Return the error for an answer that is not of the dialect."""
    if is_html(body):
        what = "answered with HTML"
    elif not body.strip():
        what = "answered with nothing"
    else:
        what = "answered with something that is not of the OpenAI dialect"
    return UpstreamError(
        UpstreamFailure.PROTOCOL,
        f"{upstream.place} {what}; is {upstream.base} the right endpoint?",
        status=200,
        param="endpoint",
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
        deployment=upstream.deployment.name,
        status=200,
    )
