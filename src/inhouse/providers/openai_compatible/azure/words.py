"""What Azure's refusals mean, as far as they are not the dialect's: which field, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

from inhouse.errors import UpstreamFailure
from inhouse.providers.openai_compatible.azure.address import LATEST
from inhouse.providers.openai_compatible.site import Routes
from inhouse.providers.refusing import Advice
from inhouse.wire.openai.refusals import Refusal

_AUTH = UpstreamFailure.AUTHENTICATION
_ROLE = "the role 'Cognitive Services OpenAI User'"


def _known(pattern: str, param: str, *what: str) -> tuple[re.Pattern[str], Advice]:
    return re.compile(pattern, re.IGNORECASE), Advice(
        failure=_AUTH, what=" ".join(what), param=param
    )


_KNOWN = (
    _known(
        r"match (?:the )?resource tenant|tenant provided in token",
        "options.tenant_id",
        "belongs to another directory than the token. Correct the option tenant_id",
    ),
    _known(
        r"PermissionDenied|lacks the required data action",
        "options.auth",
        f"lets this identity do nothing. Give it {_ROLE} on the resource;",
        "that takes some minutes to hold",
    ),
    _known(
        r"AuthenticationTypeDisabled|key based authentication is disabled",
        "options.auth",
        "takes no keys. Authenticate with Entra ID: set the option auth",
    ),
    _known(
        r"custom subdomain",
        "endpoint",
        "takes tokens only at the resource's own name. Let the endpoint be",
        "https://RESOURCE.openai.azure.com",
    ),
    _known(
        r"audience is incorrect",
        "options.scope",
        "wants tokens for another service. Correct the option scope",
    ),
    _known(
        r"virtual network/firewall|public access is disabled",
        "endpoint",
        "lets nobody in from this network. Allow it in the resource's networking, or use its",
        "private endpoint",
    ),
)
_TEXT_ONLY = Advice(
    failure=UpstreamFailure.BAD_REQUEST,
    what="has a model there that does not chat. If it completes text, set the option"
    " takes_text=true and take a family that does not chat",
    param="options.takes_text",
)
_VERSION = re.compile(
    r"(?:unsupported|missing|invalid) ?api-?version|api[- ]version[^.]{0,60}"
    r"(?:not supported|is required|invalid)",
    re.IGNORECASE,
)


def advising(*, keyed: bool) -> Callable[[Refusal, Routes], Advice | None]:
    """Return what knows Azure's refusals; `keyed` tells a key from a token."""

    def advise(found: Refusal, routes: Routes) -> Advice | None:
        words = f"{found.kind} {found.said}"
        for pattern, advice in _KNOWN:
            if pattern.search(words):
                return advice
        if "chatCompletion operation does not work" in found.said:
            return _TEXT_ONLY
        if found.no_route or _VERSION.search(words):
            return _nowhere(found, routes)
        if found.failure is UpstreamFailure.AUTHENTICATION:
            return _unauthorized(keyed=keyed)
        return None

    return advise


def _nowhere(found: Refusal, routes: Routes) -> Advice:
    """Tell a wrong api-version from a wrong address, as far as Azure's "Resource not found" can."""
    version = routes.query.partition("=")[2]
    if version:
        return Advice(
            failure=UpstreamFailure.MISCONFIGURED,
            what=f"has no such route for the api-version {version}. Set the option api_version to"
            f" {LATEST}, or to v1; if that is right, check the path of the endpoint",
            param="options.api_version",
        )
    return Advice(
        failure=UpstreamFailure.MISCONFIGURED,
        what=f"has no such route below {routes.base}. Let the endpoint be"
        " https://RESOURCE.openai.azure.com, or the address of the gateway before it; where it is"
        f" that, and api_version is v1, set the option api_version to {LATEST}",
        param="endpoint",
        quoting=not found.no_route,
    )


def _unauthorized(*, keyed: bool) -> Advice:
    if keyed:
        return Advice(
            failure=_AUTH,
            what="refused the API key. Set KEY 1 or KEY 2 of this very resource as api_key, and see"
            " that the endpoint is the same resource's",
            param="api_key",
        )
    return Advice(
        failure=_AUTH,
        what=f"refused the token. Give the identity {_ROLE} on the resource, and see that"
        " the option tenant_id is the resource's directory",
        param="options.auth",
    )
