"""What an upstream did wrong on a connection, in words that hold for every client."""

from __future__ import annotations

import ssl

from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.transport.limits import WAITERS
from inhouse.transport.response import Response

Fault = tuple[UpstreamFailure, str]
"""What kind of failure, and what the upstream did: a sentence that its place begins."""

IMPROPER: Fault = (
    UpstreamFailure.PROTOCOL,
    "did not answer in proper HTTP. Check scheme and port of the endpoint.",
)
STOPPING: Fault = UpstreamFailure.CLOSED, "was left, since inhouse shuts down."


def gone(response: Response, error: Exception | None, *, secure: bool) -> Fault:
    """Say of a connection that ended before its answer did why that is; `error` may tell."""
    if isinstance(error, ssl.SSLError):
        return (
            UpstreamFailure.TLS,
            f"ended the TLS session ({error.reason}). It may want a client certificate.",
        )
    if response.status:
        return UpstreamFailure.CLOSED, "closed the connection in the middle of its answer."
    # A server that misses a client certificate may leave without a word about it.
    hint = " It may want a client certificate." if secure else ""
    return (
        UpstreamFailure.CLOSED,
        f"closed the connection without an answer. Its log may tell why.{hint}",
    )


def late(response: Response, deadline: float) -> Fault:
    """Say of an answer that is not there at the loop time `deadline` which limit that was."""
    deadlines = response.deadlines
    if deadline >= response.expires:
        what = f"did not finish within {deadlines.total:.3g} s (total_timeout)."
    elif not response.begun:
        what = (
            f"did not begin to answer within {deadlines.first_token:.3g} s"
            " (first_token_timeout). It may be overloaded."
        )
    else:
        what = (
            f"fell silent for {deadlines.between_tokens:.3g} s in the middle of its"
            " answer (between_tokens_timeout)."
        )
    return UpstreamFailure.TIMEOUT, what


def crowded(place: str) -> UpstreamError:
    """Return the error for one request too many that would wait for a connection."""
    return UpstreamError(
        UpstreamFailure.RATE_LIMITED,
        f"{WAITERS} requests wait for {place} already. It needs more replicas.",
    )


def busy(place: str, limit: int, seconds: float) -> UpstreamError:
    """Return the error for a request that waited for one of `limit` connections in vain."""
    return UpstreamError(
        UpstreamFailure.TIMEOUT,
        f"All {limit} connections to {place} were busy for {seconds:.3g} s (max_connections).",
    )
