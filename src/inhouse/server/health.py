"""``GET /health`` for whoever restarts us, ``GET /ready`` for whoever sends us requests."""

from __future__ import annotations

import msgspec
from msgspec import Struct

import inhouse
from inhouse.server.exchange import Exchange
from inhouse.server.operation import ADMIN
from inhouse.server.router import Endpoint


class Health(Struct, frozen=True):
    """The process runs and answers; nothing is claimed of its upstreams."""

    status: str
    version: str


class Readiness(Struct, frozen=True):
    """Whether requests can be sent; `reasons` says per deployment why not."""

    status: str
    reasons: dict[str, str]


async def health(exchange: Exchange) -> None:
    """Say that the process lives."""
    await exchange.answer(msgspec.json.encode(Health("ok", inhouse.__version__)))


async def ready(exchange: Exchange) -> None:
    """Say whether every routed feature can be answered: 200, or 503 with the reasons."""
    reasons = dict(exchange.gateway.not_ready())
    found = Readiness("not ready" if reasons else "ready", reasons)
    await exchange.answer(msgspec.json.encode(found), status=503 if reasons else 200)


ENDPOINTS = (
    Endpoint(method="GET", path="/health", handle=health, dialect=ADMIN, recorded=False),
    Endpoint(method="GET", path="/ready", handle=ready, dialect=ADMIN, recorded=False),
)
