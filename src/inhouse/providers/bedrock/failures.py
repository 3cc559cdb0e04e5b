"""What refusals of Bedrock's mean: what is wrong, which field it is, and what to do."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from time import time

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.bedrock.upstream import Upstream
from inhouse.providers.refusing import FIELDS, WORDS, Advice, Header, explained, redirected
from inhouse.wire.bedrock.identifiers import profile
from inhouse.wire.bedrock.refusals import Cause, Refusal
from inhouse.wire.openai.refusals import quote

DIALECT = "Bedrock's"
_F = UpstreamFailure
_WORDS = WORDS | {
    _F.AUTHENTICATION: "refused our credentials",
    _F.NOT_READY: "is not ready yet. Try again soon",
    _F.PROTOCOL: "answered as Bedrock does not; is the endpoint right?",
    _F.RATE_LIMITED: "is asked too much: the account's quota for the model is used up. A profile"
    " across regions, or a higher quota, gives more",
    _F.SERVER: "failed",
    _F.TIMEOUT: "gave up, since the model took too long",
}
_ACTION = re.compile(r"perform: (bedrock:\w+)")
_CALLER = re.compile(r"User: arn:[\w-]+:(?:iam|sts)::([0-9]{12}):")
SKEW = 240.0
"""Seconds by which a clock may be wrong; AWS puts up with five minutes."""


def refused(upstream: Upstream, found: Refusal, prompt: str, header: Header) -> UpstreamError:
    """Return the error for a refusal; quotes AWS without secrets and prompt."""
    advice = _advice(upstream, found, header)
    said = quote(found.said, upstream.secrets, prompt)
    return explained(
        upstream.place, advice, header, status=found.status, said=said, kind=found.kind
    )


def _advice(upstream: Upstream, found: Refusal, header: Header) -> Advice:
    if 300 <= found.status < 400:
        return redirected(header)
    what, param = _explained(upstream, found, header)
    return Advice(failure=found.failure, what=what, param=param)


def _explained(upstream: Upstream, found: Refusal, header: Header) -> tuple[str, str | None]:
    """Return what is wrong and what to do, and the field of the deployment that it is about."""
    model, region = upstream.model, upstream.region
    match found.cause:
        case Cause.PROFILE_ONLY:
            return (
                (
                    f"offers the model '{model.name}' through an inference profile only: write the"
                    f" identifier as bedrock/{profile(model, region)}, or as the profile's ARN"
                ),
                "identifier",
            )
        case Cause.UNKNOWN_MODEL:
            return (
                (
                    f"does not know the model '{model.name}' in {region}. Check the identifier, and"
                    " whether options.region offers it"
                ),
                "identifier",
            )
        case Cause.NO_MODEL_ACCESS:
            return (
                (
                    f"has not granted this account the model '{model.name}': request access to it"
                    f" in the console of Bedrock in {region}, or correct the identifier"
                ),
                "identifier",
            )
        case Cause.NOT_ALLOWED:
            return _not_allowed(upstream, found)
        case Cause.WRONG_REGION:
            return (
                (
                    f"is not in {region}, for which the request is signed. Set options.region to"
                    " the endpoint's region"
                ),
                "options.region",
            )
        case Cause.CLOCK:
            return _clock(header), None
        case _ if found.failure is _F.AUTHENTICATION:
            return _credentials(upstream, found, header)
        case _:
            return _WORDS.get(found.failure, ""), FIELDS.get(found.failure)


def _credentials(upstream: Upstream, found: Refusal, header: Header) -> tuple[str, str | None]:
    blamed = upstream.identity.blamed
    source = blamed or "the credentials of the gateway's process"
    match found.cause:
        case Cause.UNKNOWN_KEY:
            what = f"does not know our credentials. Check {source}"
        case Cause.EXPIRED if blamed == "api_key":
            what = "finds the API key expired. Create a new one and set api_key"
        case Cause.EXPIRED:
            what = f"finds our temporary credentials expired. Renew them: {source}"
        case Cause.WRONG_SECRET if abs(_skew(header)) > SKEW:
            return _clock(header), None
        case Cause.WRONG_SECRET:
            what = (
                "does not find the signature right: the secret does not belong to the access key,"
                f" or a proxy changes the request. Check {source}"
            )
        case _:
            what = _WORDS[_F.AUTHENTICATION]
    return what, blamed or None


def _not_allowed(upstream: Upstream, found: Refusal) -> tuple[str, str | None]:
    caller, account = _CALLER.search(found.said), upstream.model.account
    if caller is not None and account and caller[1] != account:
        return (
            (
                f"does not let account {caller[1]}, whose credentials these are, use the ARN of"
                f" account {account}. Set options.role_arn to a role of that account, or the"
                " identifier to an ARN of ours"
            ),
            "identifier",
        )
    action = _ACTION.search(found.said)
    wanted = action[1] if action is not None else "bedrock:InvokeModelWithResponseStream"
    source = upstream.identity.blamed
    return (
        (
            f"does not allow us {wanted} on '{upstream.model.name}'. Add it to the IAM policy of"
            f" {source or 'the role of the gateway'}"
        ),
        source or None,
    )


def _clock(header: Header) -> str:
    skew = _skew(header)
    wrong = f" {abs(skew):.0f} s {'fast' if skew > 0 else 'slow'}" if abs(skew) > 1 else " wrong"
    return (
        f"finds the time of the request wrong: the clock of this machine is{wrong}. Synchronise it"
        " (NTP); AWS accepts five minutes"
    )


def _skew(header: Header) -> float:
    """Return by how many seconds our clock is ahead of the answer's date, 0 where it has none."""
    try:
        return time() - parsedate_to_datetime(header("date")).timestamp()
    except (ValueError, TypeError, IndexError):
        return 0.0


def unreachable(upstream: Upstream, error: UpstreamError) -> UpstreamError:
    """Return the error for a host that is not there, if it is one that we made from the region."""
    if upstream.deployment.endpoint or "cannot be resolved" not in error.message:
        return error
    return UpstreamError(
        error.failure,
        f"{error.message} Its name follows from options.region, which is '{upstream.region}': is"
        " that a region with Bedrock? In a closed network, set the endpoint to your VPC endpoint.",
        param="options.region",
    )


def damaged(upstream: Upstream, what: str) -> UpstreamError:
    """Return the error for a frame that did not arrive as it was sent."""
    return UpstreamError(
        _F.PROTOCOL,
        f"{upstream.place} sent a damaged stream ({what}); does a proxy change what it sends?",
        status=200,
        param="endpoint",
    )
