"""What Tabby's clients ask before anything else: whether we live, and what we serve them."""

from __future__ import annotations

import os
import platform

import inhouse
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller
from inhouse.server.exchange import Exchange
from inhouse.wire.tabby import answers

FEATURES = (Feature.COMPLETION, Feature.CHAT)


async def health(exchange: Exchange) -> None:
    """``GET`` or ``POST /v1/health``: the state, with the models that serve the caller first."""
    caller = exchange.authenticate()
    await exchange.body()  # none is wanted, but older clients post one
    serving = {
        feature.value: names[0]
        for feature in FEATURES
        if (names := _serving(exchange, caller, feature))
    }
    state = answers.health(
        serving,
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        server=f"inhouse {inhouse.__version__}",
    )
    await exchange.answer(state)


async def settings(exchange: Exchange) -> None:
    """``GET /v1beta/server_setting``: clients are to tell nobody how they are used."""
    exchange.authenticate()
    await exchange.answer(answers.SETTINGS)


async def models(exchange: Exchange) -> None:
    """``GET /v1beta/models``: what may be asked for, the feature itself first."""
    caller = exchange.authenticate()
    serving = {
        feature.value: [feature.value, *filter(caller.may_use, _serving(exchange, caller, feature))]
        for feature in FEATURES
        if _serving(exchange, caller, feature)
    }
    await exchange.answer(answers.models(serving))


def _serving(exchange: Exchange, caller: Caller, feature: Feature) -> tuple[str, ...]:
    """Return the deployments that answer the caller, best first; nothing where none does."""
    catalog = exchange.gateway.catalog
    if not caller.may_use(feature.value) or not catalog.serves(feature, caller.team):
        return ()
    return catalog.serving(feature, caller.team).deployments
