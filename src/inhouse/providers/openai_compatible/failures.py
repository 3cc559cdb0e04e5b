"""What refusals of the OpenAI dialect mean: what is wrong, where, and what to do."""

from __future__ import annotations

from inhouse.core.naming import did_you_mean
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.openai_compatible.upstream import Upstream
from inhouse.providers.refusing import FIELDS, WORDS, Advice, Header, explained, redirected
from inhouse.wire.openai.refusals import Refusal, quote

DIALECT = "the OpenAI"


def refused(upstream: Upstream, found: Refusal, prompt: str, header: Header) -> UpstreamError:
    """Return the error for a refusal; quotes the upstream without secrets and prompt."""
    advice = upstream.site.advise(found, upstream.routes) or _advice(upstream, found, header)
    said = quote(found.said, upstream.secrets, prompt)
    return explained(upstream.place, advice, header, status=found.status, said=said)


def _advice(upstream: Upstream, found: Refusal, header: Header) -> Advice:
    failure, what = found.failure, WORDS.get(found.failure, "")
    param = FIELDS.get(failure, found.param)
    if 300 <= found.status < 400:
        return redirected(header)
    if found.no_route:
        return Advice(
            failure=UpstreamFailure.PROTOCOL,
            what=f"has no such route below {upstream.base}. Check the path of the endpoint",
            param="endpoint",
            quoting=False,
        )
    match failure:
        case UpstreamFailure.UNKNOWN_MODEL:
            model = upstream.deployment.model
            what = f"does not know the model '{model}'{did_you_mean(model, upstream.names)}"
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
