"""What an administrator can do about an upstream's failure."""

from __future__ import annotations

from inhouse.errors import UpstreamError, UpstreamFailure

FATAL = frozenset(
    {
        UpstreamFailure.UNREACHABLE,
        UpstreamFailure.TLS,
        UpstreamFailure.TIMEOUT,
        UpstreamFailure.AUTHENTICATION,
        UpstreamFailure.CLOSED,
        UpstreamFailure.NOT_READY,
    }
)
"""Failures behind which nothing else can be checked."""

_REMEDIES = {
    UpstreamFailure.UNREACHABLE: "Check the endpoint's host and port, and that a firewall or proxy"
    " lets them through. In a container, localhost is the container itself.",
    UpstreamFailure.TLS: "For a self-signed certificate or your own authority, set the option"
    " ca_file=PATH to its PEM file; for a client certificate, client_cert_file and"
    " client_key_file.",
    UpstreamFailure.AUTHENTICATION: "Set the right key: --api-key env:NAME or file:PATH.",
    UpstreamFailure.NOT_READY: "Wait until the model is loaded, then test again.",
    UpstreamFailure.TIMEOUT: "See whether the upstream is overloaded, or raise its timeouts in the"
    " settings.",
}


def remedy(error: UpstreamError) -> str:
    """Return what to do about an error, empty where that is not known."""
    if "chat template" in str(error).lower():
        return (
            "The model has no chat template: serve it with one (vLLM: --chat-template FILE), or"
            " take the family of the base model, which does not chat."
        )
    return _REMEDIES.get(error.failure, "")
