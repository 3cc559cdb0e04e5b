"""``/monitoring/healthz`` and ``/monitoring/ready``."""

from __future__ import annotations

import msgspec

from inhouse.gateway import Gateway
from inhouse.server.api.gitlab.refusals import GITLAB
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.wire.gitlab.features import FEATURES


async def healthz(exchange: Exchange) -> None:
    """Say that the process lives; nothing is claimed of its upstreams."""
    await exchange.answer(b"{}")


async def ready(exchange: Exchange) -> None:
    """Say whether GitLab's requests can be answered: 200, or 503 with the reasons."""
    reasons = dict(exchange.gateway.not_ready())
    if not _serves(exchange.gateway):
        reasons["routes"] = "nothing serves any of GitLab's features: inhouse routes set --help"
    if _keyless(exchange.gateway):
        reasons["keys"] = "the keys of no GitLab could be read: inhouse doctor --gitlab"
    body = msgspec.json.encode({"reasons": reasons} if reasons else {})
    await exchange.answer(body, status=503 if reasons else 200)


def _serves(gateway: Gateway) -> bool:
    """Tell whether any of GitLab's features can be answered, be it for one team only.

    Where a request brings its own model along, each of them can.
    """
    if gateway.config.gitlab.models == "request":
        return True
    catalog = gateway.catalog
    return any(
        catalog.serves(feature, team)
        for feature in FEATURES.values()
        for team in ("", *catalog.teams)
    )


def _keyless(gateway: Gateway) -> bool:
    """Tell whether every GitLab has been asked for its keys in vain, so that none may ask us."""
    instances = gateway.identity.instances.values()
    return bool(instances) and all(each.trouble and not each.keys for each in instances)


ENDPOINTS = tuple(
    Endpoint(method="GET", path=path, handle=handle, dialect=GITLAB, recorded=False)
    for path, handle in (("/monitoring/healthz", healthz), ("/monitoring/ready", ready))
)
