"""What an administrator can do about an upstream's failure."""

from __future__ import annotations

from inhouse.core.catalog import Deployment
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
    "identifier": "PROVIDER/MODEL",
    "endpoint": "URL",
    "api_key": "env:NAME",
}
"""Fields of a deployment that an error may be about, and what is written there."""
_OPTIONS = "options."


def setting(deployment: Deployment, field: str, value: str) -> str:
    """Return how a field of a deployment is corrected: as a command, where commands can."""
    if deployment.declared:
        return f"Correct '{field}' of the deployment in inhouse.toml, and start inhouse again."
    name = f"'{deployment.name}'" if " " in deployment.name else deployment.name
    if field.startswith(_OPTIONS):
        argument = f"--option {field.removeprefix(_OPTIONS)}={value}"
    else:
        argument = f"--{field.replace('_', '-')} {value}"
    return f"inhouse deployments set {name} {argument}"


def remedy(error: UpstreamError, deployment: Deployment) -> str:
    """Return what to do about an error of a deployment, empty where that is not known."""
    if "chat template" in str(error).lower():
        return (
            "The model has no chat template: serve it with one (vLLM: --chat-template FILE), or"
            " take the family of the base model, which does not chat."
        )
    if error.failure in _REMEDIES and not (error.param or "").startswith(_OPTIONS):
        return _REMEDIES[error.failure]
    field = error.param or ""
    if error.failure is UpstreamFailure.UNKNOWN_MODEL and not field.startswith(_OPTIONS):
        field = "identifier"
    value = "VALUE" if field.startswith(_OPTIONS) else _FIELDS.get(field)
    return setting(deployment, field, value) if value else ""
