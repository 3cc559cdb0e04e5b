"""What goes wrong between the command line and a gateway, in sentences."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from inhouse.errors import GatewayError, UpstreamError
from inhouse.wire.gitlab import outbound as gitlab

NO_KEY = (
    "Put one into the variable INHOUSE_API_KEY; an administrator makes one with:"
    " inhouse keys create NAME --role developer"
)


class _Error(Struct):
    message: str
    trace_id: str = ""


class _Refusal(Struct):
    error: _Error


def refused(url: str, status: int, body: bytes) -> GatewayError:
    """Return the error for an answer that is none; `body` is a dialect's error shape."""
    try:
        found = msgspec.json.decode(body, type=_Refusal).error
    except msgspec.DecodeError:
        found = _Error(gitlab.refusal(body))
    if not found.message:
        return GatewayError(
            f"What answers at {url} is no inhouse gateway (status {status}). Set INHOUSE_URL.",
            status=status,
        )
    message = found.message
    if status == 401:
        message = f"The gateway at {url} refused the API key. {NO_KEY}"
    elif found.trace_id and not 400 <= status < 500:
        message = f"{message} (trace {found.trace_id})"
    return GatewayError(message, status=status, trace_id=found.trace_id)


def no_gateway(url: str, error: UpstreamError) -> GatewayError:
    """Return the error for a gateway that cannot be asked at all."""
    return GatewayError(
        f"No gateway answers at {url}: {error} Start one with 'inhouse serve', or set INHOUSE_URL."
    )


def no_key() -> GatewayError:
    """Return the error for a caller without a key."""
    return GatewayError(f"There is no API key to show to the gateway. {NO_KEY}")


def unintelligible(url: str) -> GatewayError:
    """Return the error for an answer in another dialect."""
    return GatewayError(f"What answers at {url} is no inhouse gateway. Set INHOUSE_URL.")
