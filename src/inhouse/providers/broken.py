"""Answers that are none in any dialect: something else, half of one, one without an end."""

from __future__ import annotations

from typing import Protocol

from inhouse.core.catalog import Deployment
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.wire.openai.refusals import is_html
from inhouse.wire.sse import LARGEST_EVENT


class Upstream(Protocol):
    """What messages call an upstream: the host and port of `place`, the address of `base`."""

    @property
    def deployment(self) -> Deployment:
        """The deployment that it serves."""
        ...

    @property
    def place(self) -> str:
        """``host:port``."""
        ...

    @property
    def base(self) -> str:
        """The URL below which its routes are."""
        ...


def garbled(upstream: Upstream, dialect: str, body: bytes | None = None) -> UpstreamError:
    """Return the error for an answer that is not of the `dialect`, read or not."""
    if body is not None and is_html(body):
        what = "answered with HTML"
    elif body is not None and not body.strip():
        what = "answered with nothing"
    else:
        what = f"answered with something that is not of {dialect} dialect"
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
        status=200,
        param="endpoint",
    )


def messages_only(
    upstream: Upstream, *, status: int | None = None, param: str | None = None
) -> UpstreamError:
    """Return the error for a text that is for a model which takes messages only."""
    return UpstreamError(
        UpstreamFailure.MESSAGES_ONLY,
        f"{upstream.place} takes no text for the model '{upstream.deployment.model}', only"
        " messages: ask it with messages.",
        status=status,
        param=param,
    )


def unrendered(deployment: Deployment) -> UpstreamError:
    """Return the error for a hole that nobody has rendered."""
    return UpstreamError(
        UpstreamFailure.BAD_REQUEST,
        f"'{deployment.name}' takes rendered prompts only: render the hole with the family's"
        " sentinels first.",
        deployment=deployment.name,
    )
