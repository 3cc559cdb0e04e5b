"""``POST /v1/events``: what became of a suggestion, counted."""

from __future__ import annotations

from inhouse.server.exchange import Exchange
from inhouse.wire.tabby import events


async def tell(exchange: Exchange) -> None:
    """Count that a suggestion was shown, taken or turned down; the answer is empty."""
    exchange.authenticate()
    event, suggestion = events.decode_event(await exchange.body(), exchange.query)
    deployment = events.deployment(suggestion)
    if deployment not in exchange.gateway.catalog.deployments:
        deployment = ""
    exchange.gateway.records.metrics.suggestion(event, deployment)
    await exchange.answer(b"")
