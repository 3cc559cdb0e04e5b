"""The platforms ``custom_openai``, any server of the dialect, and ``openai``, the cloud."""

from __future__ import annotations

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.providers.connecting import Connecting, fault, read_options
from inhouse.providers.openai_compatible.address import alternative, heal
from inhouse.providers.openai_compatible.site import Key, Options, Routes, Site
from inhouse.transport import Transport
from inhouse.wire.openai.outbound import Habits

OPENAI = "https://api.openai.com/v1"
UNKNOWN_TO_THE_CLOUDS = Habits(left_out=frozenset({"skip_special_tokens"}))
"""A field of vLLM's and SGLang's, which OpenAI and Azure refuse."""


def server(deployment: Deployment, context: ProviderContext, transport: Transport) -> Site:
    """Settle a deployment of ``custom_openai``."""
    del transport
    options = read_options(deployment, Options)
    base, _ = heal(deployment.endpoint)
    if not base:
        raise fault(deployment, "endpoint", "it is missing; write it as http://HOST:PORT/v1")
    connecting = Connecting(deployment, options, context, base)
    key = deployment.api_key
    header = connecting.secret_header("authorization", f"Bearer {key.reveal()}") if key else b""
    return Site(
        connecting=connecting,
        options=options,
        routes=(_routes(deployment, base), _routes(deployment, alternative(base))),
        authorization=Key(header),
        whole_answers=options.whole_answers,
    )


def cloud(deployment: Deployment, context: ProviderContext, transport: Transport) -> Site:
    """Settle a deployment of ``openai``; without an endpoint it is OpenAI's own."""
    if deployment.endpoint.strip():
        return server(deployment, context, transport)
    if not deployment.api_key:
        raise fault(
            deployment,
            "api_key",
            "it is missing, and OpenAI wants one; write it as env:NAME or file:PATH",
        )
    here = msgspec.structs.replace(deployment, endpoint=OPENAI)
    site = server(here, context, transport)
    return msgspec.structs.replace(
        site,
        routes=site.routes[:1],
        habits=UNKNOWN_TO_THE_CLOUDS,
        counts_tokens=False,
        whole_answers=site.whole_answers,
    )


def _routes(deployment: Deployment, base: str) -> Routes:
    written = deployment.endpoint.strip().rstrip("/")
    remarks = () if base == written else (f"The endpoint should be {base}",)
    return Routes(base=base, models=f"{base}/models", remarks=remarks)
