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
        UpstreamFailure.FORBIDDEN,
    }
)
"""Failures behind which nothing else can be checked."""

_REMEDIES = {
    UpstreamFailure.UNREACHABLE: "Check the endpoint's host and port, and that a firewall or proxy"
    " lets them through. In a container, localhost is the container itself.",
    UpstreamFailure.TLS: "For a self-signed certificate or your own authority, set the option"
    " ca_file=PATH to its PEM file; for a client certificate, client_cert_file and"
    " client_key_file.",
    UpstreamFailure.NOT_READY: "Wait until the model is loaded, then test again.",
    UpstreamFailure.TIMEOUT: "See whether the upstream is overloaded, or raise its timeouts in the"
    " settings.",
}


_FIELDS = {
    "identifier": "Correct the name behind the slash: --identifier PROVIDER/MODEL.",
    "endpoint": "Correct the address: --endpoint URL.",
    "api_key": "Set the right key: --api-key env:NAME or file:PATH.",
}
"""Fields of a deployment that an error may be about, and how each is set."""
_OPTIONS = "options."
_REPEAT = " Repeat 'inhouse deployments add' with what is right and --replace."


def remedy(error: UpstreamError) -> str:
    """Return what to do about an error, empty where that is not known."""
    if "chat template" in str(error).lower():
        return (
            "The model has no chat template: serve it with one (vLLM: --chat-template FILE), or"
            " take the family of the base model, which does not chat."
        )
    if error.failure in _REMEDIES and not (error.param or "").startswith(_OPTIONS):
        return _REMEDIES[error.failure]
    field = error.param or ""
    if not field and error.failure is UpstreamFailure.AUTHENTICATION:
        field = "api_key"
    if field.startswith(_OPTIONS):
        return f"Set the option: --option {field.removeprefix(_OPTIONS)}=VALUE.{_REPEAT}"
    return _FIELDS[field] + _REPEAT if field in _FIELDS else ""
